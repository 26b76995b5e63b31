//! A tier below memory as the walk sees it: one that fails or is late is a miss and a count.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::entry::{Entry, Key};
use crate::error::TierFailure;
use crate::stats::{TierSnapshot, TierStats};
use crate::tier::Tier;

pub(super) struct Level<H> {
    tier: Arc<dyn Tier<H>>,
    wait_max: Duration,
    stats: TierStats,
}

impl<H: Send + Sync + 'static> Level<H> {
    pub(super) fn new(tier: Arc<dyn Tier<H>>, wait_max: Duration) -> Self {
        Self { tier, wait_max, stats: TierStats::default() }
    }

    pub(super) fn name(&self) -> &'static str {
        self.tier.name()
    }

    pub(super) async fn look_up(&self, key: &Key) -> Option<Arc<Entry<H>>> {
        let Ok(answer) = timeout(self.wait_max, self.tier.look_up(key)).await else {
            self.stats.late.one_more();
            return None;
        };
        let found = self.or_count(answer)?;
        match &found {
            Some(_) => self.stats.hits.one_more(),
            None => self.stats.misses.one_more(),
        }
        found
    }

    // Not timed: it is bounded by the body's own end, and nobody waits for it.
    pub(super) async fn put(&self, key: &Key, entry: Arc<Entry<H>>) {
        self.or_count(self.tier.put(key, entry).await);
    }

    pub(super) async fn remove(&self, key: &Key) {
        let Ok(answer) = timeout(self.wait_max, self.tier.remove(key)).await else {
            return self.stats.late.one_more();
        };
        self.or_count(answer);
    }

    pub(super) fn snapshot(&self) -> TierSnapshot {
        self.stats.snapshot(self.name())
    }

    fn or_count<T>(&self, answer: Result<T, TierFailure>) -> Option<T> {
        let failure = match answer {
            Ok(answer) => return Some(answer),
            Err(failure) => failure,
        };
        self.stats.failed.one_more();
        tracing::debug!(tier = self.name(), %failure, "tier failed");
        None
    }
}
