//! What goes back to a client: a head, a body, and what follows it.
//!
//! Made by `exchange` and `respond`, written to the wire by `server`. It knows no version of HTTP.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::io::{AsyncRead, AsyncWrite};

/// Any error of a body that is under way.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes in both directions, whatever they run over.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One final response to a client.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Fields that are already in wire form: whole lines `name: value\r\n`, none of them framing
    /// (`Content-Length` and `Transfer-Encoding` are the server's). Written before `fields`.
    pub prepared: [Bytes; 2],
    /// The other fields. No hop-by-hop field among them, but for `Upgrade` on a 101.
    pub fields: HeaderMap,
    /// The body; what HEAD would have had says its length in `Sized`.
    pub body: AnswerBody,
    /// After a 101: the origin's side of the tunnel.
    pub tunnel: Option<Box<dyn Duplex>>,
}

/// The body of an answer.
pub enum AnswerBody {
    /// None at all, and no `Content-Length` either (1xx, 204, 304).
    None,
    /// No bytes follow, but the length that a GET would have had is said (HEAD); `None` when that
    /// is not known.
    Sized(Option<u64>),
    /// All of it.
    Whole(Bytes),
    /// It arrives; the length is said when `length` is known. Trailers are its last frame.
    Stream {
        /// Its length in bytes.
        length: Option<u64>,
        /// Its bytes and trailers.
        frames: UnsyncBoxBody<Bytes, BodyError>,
    },
}
