//! HTTP/2 to a member: hyper's connection on a task of its own, and our judgement of it (RFC 9113).

mod connection;
mod received;
mod sending;

pub(super) use self::connection::{Http2, Socket, open};
pub(super) use self::received::Received;
pub(super) use self::sending::{Progress, Sending, Step, shape};
