//! Leases: the contract, kept by a register in one process and by Redis.

#![allow(clippy::unwrap_used)]

mod contract;
#[cfg(feature = "redis")]
mod redis;
mod register;
#[cfg(feature = "redis")]
mod server;
#[cfg(feature = "redis")]
#[path = "../servers/mod.rs"]
mod servers;
