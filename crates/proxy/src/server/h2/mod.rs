//! HTTP/2.
use crate::answer::BodyError;
use bytes::Bytes;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};
pub(super) struct ReceivedBody {
    body: hyper::body::Incoming,
    length: Option<u64>,
}
impl ReceivedBody {
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }
}
impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = BodyError;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }
}
