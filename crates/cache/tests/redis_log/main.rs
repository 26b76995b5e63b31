//! The log of purges over real servers: nodes that write and follow it, and what can befall them.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod cluster;
mod failover;
mod follow;
mod large;
mod nodes;
mod stage;
mod strangers;

#[path = "../servers/mod.rs"]
mod servers;
