//! The face of the cache: every row of what it replaces, loaders that fail, lag and panic, callers who
//! leave, levels below memory, many processes over one Redis.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod blocking;
mod disk;
mod leaving;
mod limits;
mod loaders;
mod memory;
mod oracle;
mod processes;
mod redis;
mod stage;
mod together;

#[path = "../servers/mod.rs"]
mod servers;
