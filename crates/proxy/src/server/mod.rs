//! The client side: accepts connections, reads requests strictly, writes answers, drains at the end.
//!
//! Not here: what is answered. That is the [`Service`]'s, which sees one checked [`Request`] and
//! gives back one [`Answer`](crate::answer::Answer). HTTP/1 is our own connection (`h1`, RFC 9112),
//! HTTP/2 is hyper's under our checks (`h2`, RFC 9113), HTTP/3 is our own on quinn's QUIC (`h3`, RFC
//! 9114, with the feature `http3`); `docs/decisions.md` says why. TLS is `tls`'s; `secured` joins it to
//! a connection, and `proxy_protocol` reads for whom a peer speaks.

mod accept;
mod clients;
mod connection;
mod date;
mod estate;
mod h1;
mod h2;
#[cfg(feature = "http3")]
pub mod h3;
#[cfg(not(feature = "http3"))]
#[path = "without_h3.rs"]
mod h3;
mod link;
mod listen;
mod misdirected;
mod places;
pub mod proxy_protocol;
mod refusal;
mod request;
mod secured;
mod stats;
mod streams;
mod target;
mod terms;
mod wire;

pub use accept::{Drained, Server};
pub use connection::serve_connection;
pub use estate::{Bequest, Estate, Inherited, Part};
pub use link::InformationalSender;
pub(crate) use listen::BACKLOG;
pub use listen::BindError;
pub use places::{Moved, NextPlaces, Places, Wanted};
pub use refusal::RefusalReason;
pub use request::{Peer, Refused, Request, RequestBody, Service, Transport};
pub use stats::ServerStats;
pub use terms::NextTerms;
