//! An HTTP caching gateway: collapses, answers stale rather than late, says why.

pub mod answer;
pub mod config;
pub mod server;
