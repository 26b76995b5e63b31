//! How many bytes of bodies may be alive at once: held by a tier, arriving, or pinned by a reader
//! after eviction. A writer that gets nothing from it passes its body through a window instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// What a chunk costs beyond its bytes: its owner, two allocations' slack, its place in a list.
pub(crate) const CHUNK_OVERHEAD: usize = 128;

/// A shared bound on the bytes of bodies that are alive.
#[derive(Clone, Debug)]
pub struct Budget {
    tally: Arc<Tally>,
}

#[derive(Debug)]
struct Tally {
    bytes_max: usize,
    bytes: AtomicUsize,
    windowed: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        let (bytes, windowed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { tally: Arc::new(Tally { bytes_max, bytes, windowed }) }
    }

    /// The bound.
    pub fn bytes_max(&self) -> usize {
        self.tally.bytes_max
    }

    /// The bytes alive now.
    pub fn bytes(&self) -> usize {
        self.tally.bytes.load(Ordering::Relaxed)
    }

    /// How many bodies have gone into window mode so far.
    pub fn windowed(&self) -> usize {
        self.tally.windowed.load(Ordering::Relaxed)
    }

    /// Whether more is alive than the bound allows.
    pub(crate) fn is_short(&self) -> bool {
        self.bytes() > self.tally.bytes_max
    }

    pub(crate) fn note_windowed(&self) {
        self.tally.windowed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes that are alive whether they fit or not; their number has a bound elsewhere.
    pub(crate) fn count(&self, bytes: usize) -> Reservation {
        self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
        Reservation { tally: Arc::clone(&self.tally), bytes }
    }

    /// Copies the parts into one right-sized page, counted for as long as any slice of it lives;
    /// `None` if it does not fit.
    pub(crate) fn try_page(&self, parts: &[Bytes]) -> Option<Bytes> {
        let len = parts.iter().map(Bytes::len).sum::<usize>();
        let more = len + CHUNK_OVERHEAD;
        let fits = |now: usize| now.checked_add(more).filter(|sum| *sum <= self.tally.bytes_max);
        self.tally.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(self.counted_page(parts, len))
    }

    /// As [`Budget::try_page`], for one part that must be kept whatever the bound says.
    pub(crate) fn page(&self, part: &Bytes) -> Bytes {
        self.tally.bytes.fetch_add(part.len() + CHUNK_OVERHEAD, Ordering::Relaxed);
        self.counted_page(std::slice::from_ref(part), part.len())
    }

    /// Counts bytes that are there already as a page, whether they fit or not.
    #[cfg(feature = "disk")]
    pub(crate) fn adopt(&self, bytes: Box<[u8]>) -> Bytes {
        self.tally.bytes.fetch_add(bytes.len() + CHUNK_OVERHEAD, Ordering::Relaxed);
        Bytes::from_owner(Page { bytes, tally: Arc::clone(&self.tally) })
    }

    fn counted_page(&self, parts: &[Bytes], len: usize) -> Bytes {
        let mut bytes = Vec::with_capacity(len);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        Bytes::from_owner(Page { bytes: bytes.into_boxed_slice(), tally: Arc::clone(&self.tally) })
    }
}

/// Counted bytes: dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Reservation {
    tally: Arc<Tally>,
    bytes: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.tally.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes that were counted, and are given back when the last slice of them goes.
struct Page {
    bytes: Box<[u8]>,
    tally: Arc<Tally>,
}

impl Drop for Page {
    fn drop(&mut self) {
        self.tally.bytes.fetch_sub(self.bytes.len() + CHUNK_OVERHEAD, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_counted_until_its_last_slice_goes() {
        let budget = Budget::new(1_000);
        let page = budget.try_page(&[Bytes::from_static(b"ab"), Bytes::from_static(b"c")]).unwrap();
        let slice = page.slice(1..3);
        drop(page);
        assert_eq!(budget.bytes(), 3 + CHUNK_OVERHEAD);
        assert_eq!(&slice[..], b"bc");
        drop(slice);
        assert_eq!(budget.bytes(), 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_no_trace() {
        let budget = Budget::new(100 + CHUNK_OVERHEAD);
        let first = budget.count(60);
        assert!(budget.try_page(&[Bytes::from(vec![1; 41])]).is_none());
        assert_eq!(budget.bytes(), 60);
        assert!(budget.try_page(&[Bytes::from(vec![1; 40])]).is_some());
        drop(first);
        assert_eq!(budget.bytes(), 0);
    }
}
