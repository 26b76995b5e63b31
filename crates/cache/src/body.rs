//! Bytes that may still be arriving: one writer, many readers, each at its own pace.
//!
//! A body is *kept* while it arrives, so that a reader may begin at its first byte at any time and
//! a slow one holds up nobody. One that outgrows its limit, or that the budget has no room for,
//! goes on through a *window*: when that is full, what every reader has had is let go, the writer
//! waits for the slowest reader, nobody is cut off, and who comes when the begin has gone must go
//! himself. A body that a tier below memory holds may lie *elsewhere*: each reader then reads its own
//! pieces, and nothing of it is held.

mod arriving;
mod reader;
mod source;
mod whole;
mod writer;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::budget::Budget;
use crate::error::Broken;
use crate::sync::Mutex;
use arriving::{Arriving, Hook, Patience};

pub use reader::Reader;
pub use source::{Reading, Source};
pub use whole::Whole;
pub use writer::BodyWriter;

/// How much of a body is kept, and how much of one that is not kept may wait for its readers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest body that is kept in memory.
    pub kept_bytes_max: u64,
    /// The longest body that a reader may store that holds up no other; see [`Body::tap`].
    pub tapped_bytes_max: u64,
    /// Bytes between the writer and the slowest reader of a body that is not kept. One push may
    /// exceed it.
    pub window_bytes_max: usize,
}

/// How a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it is held.
    Whole,
    /// All of it went by; it was not kept.
    PassedThrough,
    /// It was cut off.
    Broken(Broken),
}

/// Bytes that may still be arriving. Cloning it copies nothing.
#[derive(Clone)]
pub struct Body {
    shared: Arc<Shared>,
}

// `whole` is set once and read without a lock: a hit. `arriving` is there until then; a body that
// did not end whole keeps it, for the readers that are still behind.
struct Shared {
    whole: OnceLock<Whole>,
    arriving: Mutex<Option<Box<Arriving>>>,
    elsewhere: Option<Box<Elsewhere>>,
}

// Of a body that lies elsewhere and is all there.
struct Elsewhere {
    source: Arc<dyn Source>,
    len: u64,
    trailer: Option<Bytes>,
}

impl Body {
    /// A body that is there already, copied into a page of its own. It is counted even where the
    /// budget has no room: the caller bounds how many there are.
    pub fn whole(bytes: &Bytes, trailer: Option<Bytes>, budget: &Budget) -> Self {
        let bytes = if bytes.is_empty() { Bytes::new() } else { budget.page(bytes) };
        Self::of(Whole::one(bytes, trailer))
    }

    /// A body of no bytes.
    pub fn empty() -> Self {
        Self::of(Whole::one(Bytes::new(), None))
    }

    /// A body that is there already, in a page that is counted.
    #[cfg(feature = "disk")]
    pub(crate) fn in_page(bytes: Bytes, trailer: Option<Bytes>) -> Self {
        Self::of(Whole::one(bytes, trailer))
    }

    /// A body that is all there, and lies elsewhere.
    pub fn elsewhere(source: Arc<dyn Source>, len: u64, trailer: Option<Bytes>) -> Self {
        let elsewhere = Some(Box::new(Elsewhere { source, len, trailer }));
        let (whole, arriving) = (OnceLock::new(), Mutex::new(None));
        Self { shared: Arc::new(Shared { whole, arriving, elsewhere }) }
    }

    /// Where it lies, if that is elsewhere.
    pub fn source(&self) -> Option<&Arc<dyn Source>> {
        self.shared.elsewhere.as_ref().map(|body| &body.source)
    }

    /// A body that its writer sends. Who leads makes his own reader before the first push: a body
    /// that is not kept and that nobody reads is refused.
    pub fn arriving(
        limits: Limits,
        budget: &Budget,
        expected_len: Option<u64>,
    ) -> (BodyWriter, Self) {
        let arriving = Mutex::new(Some(Box::new(Arriving::new(expected_len))));
        let shared = Shared { whole: OnceLock::new(), arriving, elsewhere: None };
        let body = Self { shared: Arc::new(shared) };
        (BodyWriter::new(body.clone(), limits, budget.clone(), expected_len), body)
    }

    /// A reader from the first byte; `None` if the begin has gone, or the body broke.
    pub fn reader(&self) -> Option<Reader> {
        self.reader_of(0..u64::MAX)
    }

    /// A reader of a byte range, cut at the body's end; `None` if its begin has gone.
    pub fn reader_of(&self, range: Range<u64>) -> Option<Reader> {
        self.join(range, Patience::Endless)
    }

    /// A reader from the first byte that holds up no other: when it is slow and another waits for
    /// more, it loses its place, and its next read says that the body broke.
    pub fn tap(&self) -> Option<Reader> {
        self.join(0..u64::MAX, Patience::UntilAnotherWaits)
    }

    fn join(&self, range: Range<u64>, patience: Patience) -> Option<Reader> {
        if self.as_whole().is_none()
            && let Some(arriving) = self.shared.arriving.lock().as_mut()
        {
            let place = arriving.join(range.start, patience)?;
            return Some(Reader::new(self.clone(), range, Some(place)));
        }
        Some(Reader::new(self.clone(), range, None))
    }

    /// All of it, if it is whole and in memory. Takes no lock.
    pub fn as_whole(&self) -> Option<&Whole> {
        self.shared.whole.get()
    }

    /// Its length, if it is whole or was announced.
    pub fn len_known(&self) -> Option<u64> {
        if let Some(whole) = self.as_whole() {
            return Some(whole.len());
        }
        if let Some(body) = &self.shared.elsewhere {
            return Some(body.len);
        }
        match self.shared.arriving.lock().as_ref() {
            Some(arriving) => arriving.expected_len,
            None => self.as_whole().map(Whole::len),
        }
    }

    /// How it ended; `None` while it arrives.
    pub fn end(&self) -> Option<End> {
        if self.as_whole().is_some() {
            return Some(End::Whole);
        }
        self.shared.arriving.lock().as_ref().map_or(Some(End::Whole), |body| body.end.clone())
    }

    /// Waits until it ended.
    pub fn ended(&self) -> impl Future<Output = End> + Send + 'static {
        Ended { body: self.clone(), place: None }
    }

    /// Whether a reader from the first byte is still to be had.
    pub(crate) fn is_joinable(&self) -> bool {
        self.as_whole().is_some()
            || self.shared.arriving.lock().as_ref().is_none_or(|body| body.holds_from(0))
    }

    /// Calls this when the body ends, before its readers are woken: who was told of the end finds
    /// the entry in its tier. Called at once if the body has ended.
    pub(crate) fn on_end(&self, hook: Hook) {
        let mut arriving = self.shared.arriving.lock();
        let end = match arriving.as_mut() {
            Some(body) => match &body.end {
                None => return body.hooks.push(hook),
                Some(end) => end.clone(),
            },
            None => End::Whole,
        };
        drop(arriving);
        hook(&end);
    }

    /// Calls this when the body is not kept in memory any more, while its begin is still held; at
    /// once if that is so already. Not at all if it ends before.
    pub(crate) fn on_outgrown(&self, hook: Box<dyn FnOnce() + Send>) {
        let mut arriving = self.shared.arriving.lock();
        match arriving.as_mut() {
            Some(body) if body.end.is_some() => {}
            Some(body) if body.outgrown => {
                drop(arriving);
                hook();
            }
            Some(body) => body.outgrown_hooks.push(hook),
            None => {}
        }
    }

    fn of(whole: Whole) -> Self {
        let (whole, arriving) = (OnceLock::from(whole), Mutex::new(None));
        Self { shared: Arc::new(Shared { whole, arriving, elsewhere: None }) }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("len", &self.len_known()).field("end", &self.end()).finish()
    }
}

/// Waits for the end; dropped, it leaves its place.
struct Ended {
    body: Body,
    place: Option<usize>,
}

impl Future for Ended {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = &mut *self;
        let mut arriving = this.body.shared.arriving.lock();
        let Some(body) = arriving.as_mut() else { return Poll::Ready(End::Whole) };
        if let Some(end) = &body.end {
            return Poll::Ready(end.clone());
        }
        match this.place.and_then(|place| body.waiting.at(place)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => this.place = Some(body.waiting.insert(cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        if let Some(body) = self.body.shared.arriving.lock().as_mut() {
            body.waiting.remove(place);
        }
    }
}

#[cfg(test)]
#[cfg(shuttle)]
mod interleavings;
#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
