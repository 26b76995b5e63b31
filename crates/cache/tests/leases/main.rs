//! Leases: the contract, kept by a register in one process and by Redis.

#![allow(clippy::unwrap_used)]

mod contract;
mod register;
