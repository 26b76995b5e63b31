//! A response's body off an HTTP/2 stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::cause;
use super::super::ended::Ended;
use super::super::pool::Stream;
use super::sending::{Progress, Step};
use crate::failure::FailureKind;

/// A body on a stream. Dropped, the stream is reset, if it is not at its end.
pub(in super::super) struct Received {
    frames: Incoming,
    _stream: Stream,
    /// Of the request's body, while that is still under way.
    progress: Option<Arc<Progress>>,
    /// The bytes that are still to come, where the head said how many.
    remaining: Option<u64>,
    read_timeout: Duration,
    pause: Pause,
}

/// The wait for the next frame. The timer is made once, and only for a body that lets wait.
#[derive(Default)]
struct Pause {
    timer: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
}

impl Received {
    pub(in super::super) fn new(
        frames: Incoming,
        stream: Stream,
        progress: Option<Arc<Progress>>,
        read_timeout: Duration,
    ) -> Self {
        Received {
            // A response to HEAD has a length, and no bytes.
            remaining: frames.size_hint().exact().filter(|_| !frames.is_end_stream()),
            frames,
            _stream: stream,
            progress,
            read_timeout,
            pause: Pause::default(),
        }
    }

    /// The next frame, or the end where the origin said that it is one.
    pub(in super::super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Ended>> {
        Poll::Ready(match Pin::new(&mut self.frames).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.pause.since = None;
                if let (Some(remaining), Some(bytes)) = (&mut self.remaining, frame.data_ref()) {
                    *remaining = remaining.saturating_sub(bytes.len() as u64);
                }
                Ok(Some(frame))
            }
            Poll::Ready(None) if self.is_complete() => Ok(None),
            Poll::Ready(None) => Err(FailureKind::BodyCut.into()),
            Poll::Ready(Some(Err(error))) => {
                let timeout = error.is_timeout();
                let kind = if timeout { FailureKind::BodyTimeout } else { FailureKind::BodyCut };
                Err(Ended::because(kind, cause(&error)))
            }
            Poll::Pending => Err(std::task::ready!(self.poll_pause(cx)).into()),
        })
    }

    /// Whether nothing is to come.
    pub(in super::super) fn is_over(&self) -> bool {
        self.frames.is_end_stream()
    }

    /// The bytes that are still to come, where that is known.
    pub(in super::super) fn length_left(&self) -> Option<u64> {
        if self.is_over() { Some(0) } else { self.frames.size_hint().exact() }
    }

    /// Whether silence means the end. hyper ends a body cleanly when a stream is reset with
    /// NO_ERROR, which is no end, unless the origin waived the rest of a request that it had already
    /// answered (RFC 9113 section 8.1).
    fn is_complete(&self) -> bool {
        match self.remaining {
            Some(bytes) => bytes == 0,
            None => self.frames.is_end_stream() || self.is_still_sending(),
        }
    }

    fn is_still_sending(&self) -> bool {
        match self.progress.as_ref().map(|progress| progress.step()) {
            None | Some(Step::Sent(_)) => false,
            Some(Step::Awaited | Step::Offered(_) | Step::Failed | Step::Unwanted) => true,
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<FailureKind> {
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
                return Poll::Ready(FailureKind::BodyTimeout);
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

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.stop();
        }
    }
}
