//! A request body off an HTTP/2 stream, bounded in size and in silence.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::super::streams::request::is_padded;
use crate::answer::BodyError;
use crate::config::Limits;
use crate::http1::without_forbidden;

/// A request body as a [`Service`](super::super::Service) reads it.
pub(super) struct ReceivedBody {
    body: Incoming,
    bytes_left: u64,
    /// Runs while the reader waits.
    silence: Pin<Box<Sleep>>,
    waiting: bool,
    body_timeout: Duration,
    length: Option<u64>,
}

impl ReceivedBody {
    pub(super) fn new(body: Incoming, limits: &Limits) -> Self {
        ReceivedBody {
            length: body.size_hint().exact(),
            body,
            bytes_left: limits.body_bytes_max,
            silence: Box::pin(sleep(limits.body_timeout)),
            waiting: false,
            body_timeout: limits.body_timeout,
        }
    }

    /// Its length where the head said it.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    fn heard(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        self.waiting = false;
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                if trailers.values().any(|value| is_padded(value.as_bytes())) {
                    return Err("a trailer's value begins or ends with whitespace".into());
                }
                return Ok(Frame::trailers(without_forbidden(trailers)));
            }
        };
        self.bytes_left = self
            .bytes_left
            .checked_sub(bytes.len() as u64)
            .ok_or("cannot read the request body to its end: it is too long")?;
        Ok(Frame::data(bytes))
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let received = self.get_mut();
        match Pin::new(&mut received.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(received.heard(frame))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if !std::mem::replace(&mut received.waiting, true) {
                    received.silence.as_mut().reset(Instant::now() + received.body_timeout);
                }
                std::task::ready!(received.silence.as_mut().poll(cx));
                let text = "cannot read the request body to its end: it said nothing for too long";
                Poll::Ready(Some(Err(text.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
