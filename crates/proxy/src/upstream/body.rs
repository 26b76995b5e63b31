//! The body of an origin's response.
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::failure::FetchFailure;

/// An origin's body: ends cleanly only where the origin ended it.
pub struct OriginBody {
    frames: Incoming,
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = FetchFailure;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FetchFailure>>> {
        todo!()
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}
