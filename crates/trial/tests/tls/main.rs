//! TLS toward clients, and what may come before HTTP, against the built program: real sockets, real
//! handshakes, certificates of an authority that the trial makes.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod acme;
mod agreeing;
mod alone;
mod attacks;
mod authority;
mod borrowed;
mod files;
mod frames;
mod hosts;
#[cfg(feature = "http3")]
mod http3;
mod pebble;
mod redirecting;
mod reloading;
mod spokesmen;
mod staples;
mod support;
