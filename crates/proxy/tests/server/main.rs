//! The client side, tested from the client's side: what goes over the wire, and what comes back.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod answers;
mod bodies;
mod framing;
mod http2;
mod patience;
mod properties;
mod sockets;
mod stage;
