//! The targets, one module each.

pub mod cache;
pub mod config;
pub mod date;
pub mod fields;
pub mod http1;
pub mod keys;
pub mod ranges;
pub mod rules;
pub mod variants;
