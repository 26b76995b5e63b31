//! One who reads a body, at his own pace.

use std::future::poll_fn;
use std::ops::Range;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{Body, End};
use crate::error::Broken;

/// Reads a body. A broken body ends with an error, on every further call again. Dropping it
/// leaves the body; the writer of one that is not kept may then go on, or end.
#[derive(Debug)]
pub struct Reader {
    body: Body,
    range: Range<u64>,
    place: Option<usize>,
}

impl Reader {
    pub(super) fn new(body: Body, range: Range<u64>, place: Option<usize>) -> Self {
        Self { body, range, place }
    }

    /// The next bytes, shared and not copied; `None` is the proper end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.range.is_empty() {
            self.leave();
            return Poll::Ready(None);
        }
        let Some(place) = self.place else { return Poll::Ready(self.next_of_whole().map(Ok)) };
        let mut arriving = self.body.shared.arriving.lock();
        let Some(body) = arriving.as_mut() else {
            drop(arriving);
            self.place = None;
            return Poll::Ready(self.next_of_whole().map(Ok));
        };
        if let Some(slice) = body.take_slice(place, &self.range) {
            let writer = body.writer.take();
            drop(arriving);
            self.range.start += slice.len() as u64;
            writer.into_iter().for_each(Waker::wake);
            return Poll::Ready(Some(Ok(slice)));
        }
        match &body.end {
            Some(End::Broken(broken)) => Poll::Ready(Some(Err(broken.clone()))),
            Some(End::PassedThrough | End::Whole) => Poll::Ready(None),
            None => {
                body.tell_reader(place, cx.waker());
                Poll::Pending
            }
        }
    }

    /// As [`Reader::poll_next`], to be awaited. Safe to drop at any moment.
    pub async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// What followed the body, after its proper end.
    pub fn trailer(&self) -> Option<Bytes> {
        if let Some(whole) = self.body.as_whole() {
            return whole.trailer().cloned();
        }
        self.body.shared.arriving.lock().as_ref()?.trailer.clone()
    }

    fn next_of_whole(&mut self) -> Option<Bytes> {
        let slice = self.body.as_whole()?.slice_at(&self.range)?;
        self.range.start += slice.len() as u64;
        Some(slice)
    }

    fn leave(&mut self) {
        let Some(place) = self.place.take() else { return };
        let mut arriving = self.body.shared.arriving.lock();
        let writer = arriving.as_mut().and_then(|body| body.leave(place));
        drop(arriving);
        writer.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.leave();
    }
}
