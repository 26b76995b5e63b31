//! HTTP/1.1 to a member: a connection that runs in the task of whoever uses it (RFC 9112).
//!
//! No task and no channel stand between an exchange and its socket: whoever waits for the head, and
//! then for the body, polls the socket itself, and the request's body on the way. Only where a
//! response begins before the request has ended does the exchange go on in a task (`apart`), since
//! a client may read nothing until it has sent everything.

mod apart;
mod connection;
mod download;
mod exchange;
mod request;
mod response;
mod socket;
mod unshared;
mod upload;

pub(super) use self::apart::Apart;
pub(super) use self::connection::Connection;
pub(super) use self::download::Download;
pub(super) use self::exchange::Exchange;
pub(super) use self::response::{HeadOnly, ResponseHead};
pub(super) use self::socket::Tunnel;

/// Fields of a response head, and lines of a trailer section.
pub(super) const FIELDS_MAX: usize = 256;
