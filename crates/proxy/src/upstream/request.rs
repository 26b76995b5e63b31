//! A request on its way to an origin: its body, and how far the origin has taken it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::answer::BodyError;

/// The body of a request to an origin.
pub enum RequestBody {
    /// None.
    Empty,
    /// All of it; it can be sent twice.
    Whole(Bytes),
    /// It arrives from the client.
    Stream(UnsyncBoxBody<Bytes, BodyError>),
}

impl RequestBody {
    /// The same body once more, unless it can be read only once.
    pub(super) fn replay(&self) -> Option<RequestBody> {
        match self {
            RequestBody::Empty => Some(RequestBody::Empty),
            RequestBody::Whole(bytes) => Some(RequestBody::Whole(bytes.clone())),
            RequestBody::Stream(_) => None,
        }
    }
}

/// How far a request's body has come, seen from both of its ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The client has to go on.
    Awaited,
    /// The origin has to take what came at this moment.
    Offered(Instant),
    /// All of it is on its way since then.
    Sent(Instant),
    /// The client's body failed.
    Failed,
    /// Nobody wants the answer any more: the rest is not sent.
    Unwanted,
}

/// The step of a body that arrives, shared between the connection and who waits for the answer.
#[derive(Debug)]
pub(super) struct Progress(Mutex<Step>);

impl Progress {
    pub(super) fn step(&self) -> Step {
        *self.0.lock()
    }

    fn go(&self, step: Step) {
        *self.0.lock() = step;
    }

    /// Stops the body where it is, unless all of it was sent.
    pub(super) fn stop(&self) {
        let mut step = self.0.lock();
        match *step {
            Step::Awaited | Step::Offered(_) => *step = Step::Unwanted,
            Step::Sent(_) | Step::Failed | Step::Unwanted => {}
        }
    }
}

/// A request body as the connection reads it.
pub(super) struct Sending {
    body: RequestBody,
    progress: Option<Arc<Progress>>,
}

impl Sending {
    pub(super) fn new(body: RequestBody) -> Self {
        let progress = match body {
            RequestBody::Empty | RequestBody::Whole(_) => None,
            RequestBody::Stream(_) => {
                Some(Arc::new(Progress(Mutex::new(Step::Offered(Instant::now())))))
            }
        };
        Sending { body, progress }
    }

    /// The step it is at; none for a body that is taken at once.
    pub(super) fn progress(&self) -> Option<Arc<Progress>> {
        self.progress.clone()
    }

    /// The same body once more, unless it can be read only once.
    pub(super) fn replay(&self) -> Option<Sending> {
        self.body.replay().map(Sending::new)
    }

    /// Notes the step that a poll of a streamed body led to.
    fn note(&self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        let Some(progress) = &self.progress else { return };
        progress.go(match polled {
            Poll::Pending => Step::Awaited,
            Poll::Ready(Some(Ok(_))) if !self.is_end_stream() => Step::Offered(Instant::now()),
            Poll::Ready(Some(Ok(_)) | None) => Step::Sent(Instant::now()),
            Poll::Ready(Some(Err(_))) => Step::Failed,
        });
    }

    fn is_unwanted(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| matches!(progress.step(), Step::Unwanted))
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_unwanted() {
            return Poll::Ready(Some(Err("nobody wants the answer any more".into())));
        }
        let polled = match &mut self.body {
            RequestBody::Empty => return Poll::Ready(None),
            RequestBody::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.body = RequestBody::Empty;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            RequestBody::Stream(frames) => Pin::new(frames).poll_frame(cx),
        };
        self.note(&polled);
        Poll::Ready(ready!(polled))
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            RequestBody::Empty => true,
            RequestBody::Whole(bytes) => bytes.is_empty(),
            RequestBody::Stream(frames) => frames.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            RequestBody::Empty => SizeHint::with_exact(0),
            RequestBody::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            RequestBody::Stream(frames) => frames.size_hint(),
        }
    }
}
