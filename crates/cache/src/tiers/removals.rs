//! Whether a key was removed while an older entry of it was on its way between tiers, and what was
//! known of purges when that was fetched.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::log::Purges;
use crate::purge::Epoch;
use crate::scatter::Scatter;

/// Keys share a counter by chance; then an entry is not promoted that could have been.
const COUNTERS: usize = 1_024;

#[derive(Debug)]
pub(super) struct Removals {
    counters: Box<[AtomicU64]>,
    scatter: Scatter,
    purges: Purges,
}

/// How often a key, or one that shares its counter, had been removed at one moment, and the purges
/// that were known then.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    removed: u64,
    epoch: Epoch,
}

impl Mark {
    /// What an entry bears that was fetched from that moment on.
    pub fn epoch(self) -> Epoch {
        self.epoch
    }
}

impl Removals {
    pub(super) fn new(purges: Purges) -> Self {
        let counters = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self { counters, scatter: Scatter::new(), purges }
    }

    pub(super) fn mark(&self, key: &[u8]) -> Mark {
        Mark { removed: self.removed(key), epoch: self.purges.epoch() }
    }

    /// Whether the key was removed since.
    pub(super) fn is_since(&self, mark: Mark, key: &[u8]) -> bool {
        self.removed(key) != mark.removed
    }

    fn removed(&self, key: &[u8]) -> u64 {
        self.counter(key).load(Ordering::SeqCst)
    }

    pub(super) fn note(&self, key: &[u8]) {
        self.counter(key).fetch_add(1, Ordering::SeqCst);
    }

    fn counter(&self, key: &[u8]) -> &AtomicU64 {
        &self.counters[self.scatter.place(key, COUNTERS)]
    }
}
