//! One who reads a body, at his own pace.

use std::fmt;
use std::future::poll_fn;
use std::ops::Range;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{Body, End, Reading};
use crate::error::Broken;

/// The longest piece that is read at once of a body that lies elsewhere.
const PIECE_BYTES_MAX: usize = 128 << 10;

/// Reads a body. A broken body ends with an error, on every further call again. Dropping it
/// leaves the body; the writer of one that is not kept may then go on, or end.
pub struct Reader {
    body: Body,
    range: Range<u64>,
    place: Option<usize>,
    reading: Option<Reading>,
}

impl Reader {
    pub(super) fn new(body: Body, range: Range<u64>, place: Option<usize>) -> Self {
        let end = body.shared.elsewhere.as_ref().map_or(range.end, |it| range.end.min(it.len));
        Self { body, range: range.start..end, place, reading: None }
    }

    /// The next bytes, shared and not copied; `None` is the proper end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.range.is_empty() {
            self.leave();
            return Poll::Ready(None);
        }
        if self.body.shared.elsewhere.is_some() {
            return self.poll_elsewhere(cx);
        }
        let Some(place) = self.place else { return Poll::Ready(self.next_of_whole().map(Ok)) };
        let mut arriving = self.body.shared.arriving.lock();
        let Some(body) = arriving.as_mut() else {
            drop(arriving);
            self.place = None;
            return Poll::Ready(self.next_of_whole().map(Ok));
        };
        if body.is_cut_off(place) {
            return Poll::Ready(Some(Err(Broken::new("its reader could not keep up"))));
        }
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
        if let Some(body) = &self.body.shared.elsewhere {
            return body.trailer.clone();
        }
        self.body.shared.arriving.lock().as_ref()?.trailer.clone()
    }

    fn poll_elsewhere(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Some(body) = &self.body.shared.elsewhere else { return Poll::Ready(None) };
        let left = self.range.end - self.range.start;
        let bytes_max = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES_MAX);
        let read = match &mut self.reading {
            Some(reading) => std::task::ready!(reading.as_mut().poll(cx)),
            None => match body.source.read_at_once(self.range.start, bytes_max) {
                Some(read) => read,
                None => {
                    let reading = body.source.clone().read(self.range.start, bytes_max);
                    self.reading = Some(reading);
                    return self.poll_elsewhere(cx);
                }
            },
        };
        self.reading = None;
        let read = read.and_then(|piece| match piece.len() {
            1.. if piece.len() <= bytes_max => Ok(piece),
            _ => Err(Broken::new("where it lies it is shorter than it was")),
        });
        if let Ok(piece) = &read {
            self.range.start += piece.len() as u64;
        }
        Poll::Ready(Some(read))
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

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Reader");
        shown.field("body", &self.body).field("range", &self.range).finish_non_exhaustive()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.leave();
    }
}
