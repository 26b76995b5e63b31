//! What a [`Service`] is asked: one request, already checked, with a body that arrives on demand.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use super::link::{InformationalSender, Link};
use super::refusal::{Refusal, RefusalReason};
use crate::answer::{Answer, BodyError};

/// Answers requests; shared by all connections.
pub trait Service: Clone + Send + Sync + 'static {
    /// Called for every request; must not block. An answer that is ready at the first poll goes
    /// out without a task switch. Dropping the future is how a client that went away is told.
    fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send;

    /// Called for every request that was refused before it was one, and for those whose exchange
    /// the server ended by a refusal of its own. Must not block.
    fn refused(&self, _refused: &Refused) {}
}

/// One request as a client sent it, framing and target checked.
pub struct Request {
    /// The method; never CONNECT or TRACE.
    pub method: Method,
    /// The target: origin-form (a path), absolute-form (scheme, authority and a path that is never
    /// empty), or `*` with OPTIONS. HTTP/2 always gives the absolute form, but for `*`.
    pub target: Uri,
    /// The version that the client speaks.
    pub version: Version,
    /// The fields. `Host` is there exactly once and is the target's authority where it has one;
    /// only an HTTP/1.0 request may lack it. Names with `_` are kept; drop them before they reach
    /// an origin that would confuse them with `-`.
    pub fields: HeaderMap,
    /// The body.
    pub body: RequestBody,
    /// Who asks, and on which of our addresses.
    pub peer: Peer,
    /// Sends interim heads such as 103 before the answer; `None` where the version cannot.
    pub informational: Option<InformationalSender>,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address; `None` on a Unix socket.
    pub address: Option<SocketAddr>,
    /// Our address; `None` on a Unix socket.
    pub local: Option<SocketAddr>,
    /// What their bytes run over.
    pub transport: Transport,
}

/// Whether a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// It is not.
    Plain,
    /// By TLS, with us.
    Tls,
}

impl Transport {
    /// What a request for this URI would come over.
    pub fn of(uri: &Uri) -> Self {
        match uri.scheme_str() {
            Some("https") => Transport::Tls,
            Some(_) | None => Transport::Plain,
        }
    }
}

/// A request that was refused by the server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who asked.
    pub peer: Peer,
    /// Why it was refused.
    pub reason: RefusalReason,
    /// The status that says so; `None` where an HTTP/2 stream was reset instead.
    pub status: Option<StatusCode>,
    /// What was wrong, in one line; nothing in it comes from the request.
    pub text: &'static str,
}

impl Refused {
    pub(super) fn new(peer: Peer, refusal: Refusal) -> Self {
        let Refusal { status, reason, text } = refusal;
        Refused { peer, reason, status: Some(status), text }
    }
}

/// A request's body. Polling it for the first time is what sends `100 Continue` where the client
/// waits for that; dropping it unread is allowed.
pub struct RequestBody {
    source: Source,
}

enum Source {
    Whole(Option<Bytes>),
    Link { link: Arc<Link>, exchange: u64, length: Option<u64> },
    Stream { length: Option<u64>, frames: UnsyncBoxBody<Bytes, BodyError> },
}

impl RequestBody {
    /// No body.
    pub fn empty() -> Self {
        RequestBody { source: Source::Whole(None) }
    }

    /// A body that is all there.
    pub fn whole(bytes: Bytes) -> Self {
        RequestBody { source: Source::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())) }
    }

    pub(super) fn from_link(link: Arc<Link>, exchange: u64, length: Option<u64>) -> Self {
        RequestBody { source: Source::Link { link, exchange, length } }
    }

    pub(super) fn from_stream(
        length: Option<u64>,
        body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static,
    ) -> Self {
        RequestBody { source: Source::Stream { length, frames: body.boxed_unsync() } }
    }

    /// Its length where the head said it (what was read already included).
    pub fn length(&self) -> Option<u64> {
        match &self.source {
            Source::Whole(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Link { length, .. } | Source::Stream { length, .. } => *length,
        }
    }

    /// Whether there is none, or one of no bytes.
    pub fn is_empty(&self) -> bool {
        self.length() == Some(0)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().source {
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Link { link, exchange, .. } => link.poll_body(*exchange, cx),
            Source::Stream { frames, .. } => Pin::new(frames).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_none(),
            Source::Link { link, exchange, .. } => link.body_ended(*exchange),
            Source::Stream { frames, .. } => frames.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Link { length, .. } => length.map_or_else(SizeHint::new, SizeHint::with_exact),
            Source::Stream { frames, .. } => frames.size_hint(),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Source::Link { link, exchange, .. } = &self.source {
            link.release_body(*exchange);
        }
    }
}
