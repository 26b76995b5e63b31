//! Whether a key was removed while an older entry of it was on its way between tiers.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys share a counter by chance; then an entry is not promoted that could have been.
const COUNTERS: usize = 1_024;

#[derive(Debug)]
pub(super) struct Removals {
    counters: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// How often a key, or one that shares its counter, had been removed at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

impl Removals {
    pub(super) fn new() -> Self {
        let counters = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self { counters, hasher: RandomState::new() }
    }

    pub(super) fn mark(&self, key: &[u8]) -> Mark {
        Mark(self.counter(key).load(Ordering::SeqCst))
    }

    pub(super) fn note(&self, key: &[u8]) {
        self.counter(key).fetch_add(1, Ordering::SeqCst);
    }

    fn counter(&self, key: &[u8]) -> &AtomicU64 {
        &self.counters[self.hasher.hash_one(key) as usize % COUNTERS]
    }
}
