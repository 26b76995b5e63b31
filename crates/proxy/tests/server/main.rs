//! The client side, tested from the client's side: what goes over the wire, and what comes back.

mod answers;
mod bodies;
mod framing;
mod http2;
mod patience;
mod properties;
mod sockets;
mod stage;
