//! A request on its way over HTTP/2: its form, its body, and how far the origin has taken it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::super::request::{RequestBody, Unsendable, declared_length, spread};
use crate::answer::BodyError;

/// How far a request's body has come, seen from both of its ends.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Step {
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
pub(in super::super) struct Progress(Mutex<Step>);

impl Progress {
    pub(in super::super) fn step(&self) -> Step {
        *self.0.lock()
    }

    fn go(&self, step: Step) {
        *self.0.lock() = step;
    }

    /// Stops the body where it is, unless all of it was sent.
    pub(in super::super) fn stop(&self) {
        let mut step = self.0.lock();
        match *step {
            Step::Awaited | Step::Offered(_) => *step = Step::Unwanted,
            Step::Sent(_) | Step::Failed | Step::Unwanted => {}
        }
    }
}

/// A request body as the connection reads it.
pub(in super::super) struct Sending {
    body: RequestBody,
    progress: Option<Arc<Progress>>,
}

impl Sending {
    pub(in super::super) fn new(body: RequestBody) -> Self {
        let progress = match body {
            RequestBody::Empty | RequestBody::Whole(_) => None,
            RequestBody::Stream(_) => {
                Some(Arc::new(Progress(Mutex::new(Step::Offered(Instant::now())))))
            }
        };
        Sending { body, progress }
    }

    /// The step it is at; none for a body that is taken at once.
    pub(in super::super) fn progress(&self) -> Option<Arc<Progress>> {
        self.progress.clone()
    }

    /// The same body once more, unless it can be read only once.
    pub(in super::super) fn replay(&self) -> Option<RequestBody> {
        self.body.replay()
    }

    /// The body as it was before it was sent.
    pub(in super::super) fn into_body(self) -> RequestBody {
        self.body
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

/// Brings a request into the form of HTTP/2: `Host` becomes `:authority` (RFC 9113 section
/// 8.3.1). Doing so twice changes nothing more.
pub(in super::super) fn shape(
    request: &mut Request<Sending>,
    scheme: Scheme,
    member_host: &HeaderValue,
) -> Result<(), Unsendable> {
    *request.version_mut() = Version::HTTP_2;
    let host = spread(request).remove(HOST);
    frame(request)?;
    let authority = match (host, request.uri().authority()) {
        (None, Some(authority)) => authority.clone(),
        (Some(host), _) => Authority::try_from(host.as_bytes()).map_err(|_| Unsendable)?,
        (None, None) => Authority::try_from(member_host.as_bytes()).map_err(|_| Unsendable)?,
    };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Unsendable)?;
    Ok(())
}

/// Makes the framing fields say what the body is (RFC 9113 section 8.1.1), whatever they said
/// before. CONNECT has no place behind a gateway, and `Expect` is answered by the gateway itself.
fn frame(request: &mut Request<Sending>) -> Result<(), Unsendable> {
    if request.method() == Method::CONNECT {
        return Err(Unsendable);
    }
    let bytes = request.body().size_hint().exact();
    let is_empty = request.body().is_end_stream();
    let has_meaning = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let fields = request.headers_mut();
    let declared = declared_length(fields);
    fields.remove(EXPECT);
    fields.remove(TRANSFER_ENCODING);
    fields.remove(CONTENT_LENGTH);
    let length = if is_empty { has_meaning.then_some(0) } else { bytes.or(declared) };
    fields.extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from(length))));
    Ok(())
}

#[cfg(test)]
mod tests;
