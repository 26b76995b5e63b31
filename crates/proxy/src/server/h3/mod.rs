//! HTTP/3 from clients: QUIC by quinn, and on it frames, fields and streams by one strict reading of our
//! own (9114, 9204).
//!
//! `frame`, `message`, `control`, `qpack` and `head` are pure: bytes in, parts or a fault out. `endpoint`
//! accepts connections on UDP; this file serves one; `exchange` serves one request on its stream, over
//! `incoming` and `reply`; `beside` hears the other streams. A request is then what it is with HTTP/2
//! (`streams`), and the same service answers it.

mod beside;
mod code;
mod connection;
mod control;
mod endpoint;
mod exchange;
mod frame;
pub mod fuzz;
mod head;
mod incoming;
mod message;
pub mod qpack;
mod reply;
mod varint;

pub(super) use self::endpoint::{Attempt, Endpoints};
