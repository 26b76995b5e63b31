//! The targets, one module each.

pub mod cache;
pub mod config;
pub mod date;
pub mod disk;
pub mod fields;
pub mod http1;
pub mod http3;
pub mod index;
pub mod kept;
pub mod keys;
pub mod proxy_protocol;
pub mod purges;
pub mod ranges;
pub mod record;
pub mod response;
pub mod routes;
pub mod rules;
pub mod sections;
pub mod stored;
pub mod variants;
