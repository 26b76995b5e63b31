//! An HTTP caching gateway: collapses, answers stale rather than late, says why.

pub mod answer;
pub mod cli;
pub mod commands;
pub mod config;
pub mod failure;
pub mod route;
pub mod server;
pub mod upstream;
