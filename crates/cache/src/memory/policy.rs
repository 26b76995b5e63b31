//! How quick_cache weighs what it holds, and what it does with what it drops.

use std::sync::Arc;

use quick_cache::{Lifecycle, Weighter};

use crate::entry::{Entry, Key};
use crate::stats::Stats;

/// The share of a shard that entries asked for again may fill; the rest is on probation.
pub(super) const HOT_SHARE: f64 = 0.97;

/// The hot part of a shard: what does not fit it, quick_cache does not admit.
pub(super) fn hot_bytes(shard_bytes: usize) -> usize {
    (shard_bytes as f64 * HOT_SHARE) as usize
}

/// An entry with its weight at the moment it came in, because the table's sums need it stable.
pub(super) struct Held<H> {
    pub(super) entry: Arc<Entry<H>>,
    pub(super) weight: u64,
}

impl<H> Clone for Held<H> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), weight: self.weight }
    }
}

#[derive(Clone, Debug)]
pub(super) struct ByWeight;

impl<H> Weighter<Key, Held<H>> for ByWeight {
    fn weight(&self, _: &Key, held: &Held<H>) -> u64 {
        held.weight
    }
}

/// Counts evictions, and frees what was evicted after the shard's lock was given back.
#[derive(Clone, Debug)]
pub(super) struct Evictions {
    stats: Arc<Stats>,
}

impl Evictions {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        Self { stats }
    }
}

impl<H> Lifecycle<Key, Held<H>> for Evictions {
    type RequestState = Dropped<H>;

    // Not called for an entry that another replaces under the same key.
    fn before_evict(&self, _: &mut Dropped<H>, _: &Key, _: &mut Held<H>) {
        self.stats.evicted.one_more();
    }

    fn on_evict(&self, dropped: &mut Dropped<H>, key: Key, held: Held<H>) {
        dropped.0.push((key, held));
    }
}

/// What one request drops.
pub(super) struct Dropped<H>(Vec<(Key, Held<H>)>);

impl<H> Default for Dropped<H> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
