//! The body of an origin's response: it ends cleanly only where the origin ended it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::ended::Ended;
use super::h1::{Apart, Download, Tunnel};
use super::h2::Received;
use super::pool::Pool;
use super::tries::Under;
use crate::failure::FetchFailure;

/// An origin's body. Read to its end, its connection is used again; dropped before, the
/// connection closes (a stream of HTTP/2 is reset). Trailers are its last frame.
pub struct OriginBody {
    source: Source,
    member: Arc<str>,
    /// What it holds at its member until it is over.
    under: Option<Under>,
}

/// Where the bytes come from.
enum Source {
    /// Straight off a connection, which goes back to its pool.
    Http1(Download, Arc<Pool>),
    /// Off a connection, by way of a task.
    Apart(Apart),
    /// Off a stream.
    Http2(Box<Received>),
    /// It has none, because the connection became a tunnel.
    Tunnel(Box<Tunnel>),
    /// Nothing is to come.
    Over,
    /// It did not come to its end.
    Failed(FetchFailure),
}

impl OriginBody {
    pub(super) fn of_http1(download: Download, pool: Arc<Pool>, member: Arc<str>) -> Self {
        let source = match download.is_early() {
            true => Source::Apart(Apart::of(download)),
            false => Source::Http1(download, pool),
        };
        OriginBody { source, member, under: None }.ended_if_over()
    }

    pub(super) fn of_http2(received: Received, member: Arc<str>) -> Self {
        let source = Source::Http2(Box::new(received));
        OriginBody { source, member, under: None }.ended_if_over()
    }

    pub(super) fn of_tunnel(tunnel: Tunnel, member: Arc<str>) -> Self {
        OriginBody { source: Source::Tunnel(Box::new(tunnel)), member, under: None }
    }

    /// Holds this until it has ended. A tunnel takes it along.
    pub(super) fn hold(&mut self, under: Under) {
        match &mut self.source {
            Source::Over | Source::Failed(_) => {}
            Source::Tunnel(tunnel) => tunnel.hold(under),
            Source::Http1(..) | Source::Apart(_) | Source::Http2(_) => {
                self.under = Some(under);
            }
        }
    }

    /// The member that it comes from, as `host:port` or a path.
    pub fn member(&self) -> &Arc<str> {
        &self.member
    }

    /// All of the body, if it came with its head, so that both can go on together. Then it is over.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        let Source::Http1(download, _) = &mut self.source else { return None };
        let bytes = download.take_whole()?;
        self.end();
        Some(bytes)
    }

    /// The connection itself, where it became a tunnel.
    pub(super) fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        match std::mem::replace(&mut self.source, Source::Over) {
            Source::Tunnel(tunnel) => Some(tunnel),
            source => {
                self.source = source;
                None
            }
        }
    }

    fn ended_if_over(mut self) -> Self {
        self.end_if_over();
        self
    }

    fn end_if_over(&mut self) {
        let is_over = match &self.source {
            Source::Http1(download, _) => download.is_over(),
            Source::Http2(received) => received.is_over(),
            Source::Apart(_) | Source::Tunnel(_) | Source::Over | Source::Failed(_) => false,
        };
        if is_over {
            self.end();
        }
    }

    /// Parts with the connection: to the pool if both messages are over, else it closes.
    fn end(&mut self) {
        self.under = None;
        let source = std::mem::replace(&mut self.source, Source::Over);
        let Source::Http1(download, pool) = source else { return };
        if let Some(connection) = download.into_connection() {
            pool.give_back(connection);
        }
    }

    fn fail(&mut self, ended: Ended) -> FetchFailure {
        let failure = ended.at(&self.member);
        if let Some(under) = self.under.take() {
            under.broke(&failure);
        }
        self.source = Source::Failed(failure.clone());
        failure
    }
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = FetchFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchFailure>>> {
        let said = match &mut self.source {
            Source::Http1(download, _) => ready!(download.poll_frame(cx)),
            Source::Apart(apart) => ready!(apart.poll_frame(cx)),
            Source::Http2(received) => ready!(received.poll_frame(cx)),
            Source::Tunnel(_) | Source::Over => return Poll::Ready(None),
            Source::Failed(failure) => return Poll::Ready(Some(Err(failure.clone()))),
        };
        Poll::Ready(match said {
            Ok(Some(frame)) => {
                self.end_if_over();
                Some(Ok(frame))
            }
            Ok(None) => {
                self.end();
                None
            }
            Err(ended) => Some(Err(self.fail(ended))),
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Over | Source::Tunnel(_) => true,
            Source::Http1(..) | Source::Apart(_) | Source::Http2(_) | Source::Failed(_) => false,
        }
    }

    /// Of the bytes that are to come: for a response to HEAD, none.
    fn size_hint(&self) -> SizeHint {
        let left = match &self.source {
            Source::Http1(download, _) => download.length_left(),
            Source::Apart(apart) => apart.length_left(),
            Source::Http2(received) => received.length_left(),
            Source::Tunnel(_) | Source::Over => Some(0),
            Source::Failed(_) => None,
        };
        left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
