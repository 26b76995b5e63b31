//! An HTTP caching gateway: collapses, answers stale rather than late, says why.
//!
//! Read [`exchange`] first: it is the story of one request.

pub mod admin;
pub mod answer;
pub mod ask;
pub mod asking;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod compress;
pub mod compressor;
pub mod config;
pub mod exchange;
pub mod failure;
pub mod fetch;
pub mod forward;
pub mod gateway;
pub mod guard;
mod http1;
pub mod keep;
pub mod kept;
pub mod kept_codec;
pub mod keyed_body;
pub mod pass;
pub mod purge;
pub mod redirect;
pub mod reload;
pub mod reply;
pub mod respond;
pub mod route;
pub mod route_ask;
pub mod route_watch;
pub mod secret;
pub mod seen;
pub mod server;
pub mod status;
pub mod storage;
pub mod stream;
pub mod succession;
pub mod systemd;
pub mod telemetry;
mod terminal;
mod timer;
pub mod tls;
pub mod traces;
pub mod upstream;
pub mod why;
