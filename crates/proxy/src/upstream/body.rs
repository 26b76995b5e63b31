//! The body of an origin's response: it ends cleanly only where the origin ended it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::cause;
use super::pool::{Held, Line};
use super::request::{Progress, Step};
use crate::failure::{FailureKind, FetchFailure};

/// An origin's body. Read to its end, its connection is used again; dropped before, the
/// connection closes (a stream of HTTP/2 is reset). Trailers are its last frame.
pub struct OriginBody {
    frames: Incoming,
    held: Option<Held>,
    /// Of the request's body, while that is still under way.
    progress: Option<Arc<Progress>>,
    reuse: Reuse,
    /// The bytes that are still to come, where the head said how many.
    remaining: Option<u64>,
    read_timeout: Duration,
    pause: Pause,
    failed: Option<FetchFailure>,
    member: Arc<str>,
}

/// What becomes of the connection after the body's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    Yes,
    No,
}

/// The wait for the next frame. The timer is made once, and only for a body that lets wait.
#[derive(Default)]
struct Pause {
    timer: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
}

impl OriginBody {
    pub(super) fn new(
        frames: Incoming,
        held: Held,
        progress: Option<Arc<Progress>>,
        read_timeout: Duration,
        member: Arc<str>,
    ) -> Self {
        OriginBody {
            // A response to HEAD has a length, and no bytes.
            remaining: frames.size_hint().exact().filter(|_| !frames.is_end_stream()),
            frames,
            held: Some(held),
            progress,
            reuse: Reuse::Yes,
            read_timeout,
            pause: Pause::default(),
            failed: None,
            member,
        }
    }

    /// The same, when the connection became a tunnel.
    pub(super) fn let_go(mut self) -> Self {
        if let Some(held) = self.held.take() {
            held.let_go();
        }
        self
    }

    /// The same, when its framing is doubtful (RFC 9112 section 6.3).
    pub(super) fn never_reused(mut self) -> Self {
        self.reuse = Reuse::No;
        self
    }

    /// The same, when nothing is to come.
    pub(super) fn finished(mut self) -> Self {
        self.end();
        self
    }

    /// The member that it comes from, as `host:port` or a path.
    pub fn member(&self) -> &Arc<str> {
        &self.member
    }

    /// Parts with the connection: to the pool if both bodies are over, else it closes.
    fn end(&mut self) {
        let Some(held) = self.held.take() else { return };
        if self.reuse == Reuse::Yes && !self.is_still_sending() {
            held.give_back();
        }
        self.stop_sending();
    }

    fn is_still_sending(&self) -> bool {
        match self.progress.as_ref().map(|progress| progress.step()) {
            None | Some(Step::Sent(_)) => false,
            Some(Step::Awaited | Step::Offered(_) | Step::Failed | Step::Unwanted) => true,
        }
    }

    fn stop_sending(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.stop();
        }
    }

    fn fail(&mut self, failure: FetchFailure) -> FetchFailure {
        self.held = None;
        self.stop_sending();
        self.failed = Some(failure.clone());
        failure
    }

    fn take_frame(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        self.pause.since = None;
        if let (Some(remaining), Some(bytes)) = (&mut self.remaining, frame.data_ref()) {
            *remaining = remaining.saturating_sub(bytes.len() as u64);
        }
        if self.frames.is_end_stream() {
            self.end();
        }
        frame
    }

    /// Whether silence means the end. hyper ends a body cleanly when an HTTP/2 stream is reset
    /// with NO_ERROR, and when its driver died; neither is an end, unless the origin waived the
    /// rest of a request that it had already answered (RFC 9113 section 8.1).
    fn is_complete(&self) -> bool {
        match (self.remaining, self.held.as_ref().map(|held| &held.line)) {
            (Some(bytes), _) => bytes == 0,
            (None, Some(Line::Http2(_))) => self.frames.is_end_stream() || self.is_still_sending(),
            (None, Some(Line::Http1(http1))) => !http1.wire.broken(),
            (None, None) => true,
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<FetchFailure> {
        let now = Instant::now();
        let since = *self.pause.since.get_or_insert(now);
        loop {
            let until = self.patience(since) + self.read_timeout;
            let timer = self.pause.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.patience(since) + self.read_timeout <= Instant::now() {
                return Poll::Ready(FetchFailure::new(FailureKind::BodyTimeout, &self.member));
            }
        }
    }

    /// From when on the origin's silence counts: not while it still takes the request.
    fn patience(&self, since: Instant) -> Instant {
        match self.progress.as_ref().map(|progress| progress.step()) {
            None => since,
            Some(Step::Offered(at) | Step::Sent(at)) => since.max(at),
            Some(Step::Awaited) => Instant::now(),
            Some(Step::Failed | Step::Unwanted) => since,
        }
    }
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = FetchFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchFailure>>> {
        if let Some(failure) = &self.failed {
            return Poll::Ready(Some(Err(failure.clone())));
        }
        let failure = match Pin::new(&mut self.frames).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(self.take_frame(frame)))),
            Poll::Ready(None) if self.is_complete() => {
                self.end();
                return Poll::Ready(None);
            }
            Poll::Ready(None) => FetchFailure::new(FailureKind::BodyCut, &self.member),
            Poll::Ready(Some(Err(error))) => {
                let timeout = error.is_timeout();
                let kind = if timeout { FailureKind::BodyTimeout } else { FailureKind::BodyCut };
                FetchFailure::because(kind, &self.member, cause(&error))
            }
            Poll::Pending => std::task::ready!(self.poll_pause(cx)),
        };
        Poll::Ready(Some(Err(self.fail(failure))))
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.frames.is_end_stream()
    }

    /// Of the bytes that are to come: for a response to HEAD, none.
    fn size_hint(&self) -> SizeHint {
        if self.frames.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        self.frames.size_hint()
    }
}

impl Drop for OriginBody {
    fn drop(&mut self) {
        self.stop_sending();
    }
}
