//! A tier below memory as the walk sees it: one that fails or is late is a miss and a count.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::entry::{Entry, Key};
use crate::options::Options;
use crate::stats::{TierSnapshot, TierStats};
use crate::tier::{Answer, Tier};

pub(super) struct Level<H> {
    tier: Arc<dyn Tier<H>>,
    wait_max: Duration,
    put_wait_max: Duration,
    stats: TierStats,
}

impl<H: Send + Sync + 'static> Level<H> {
    pub(super) fn new(tier: Arc<dyn Tier<H>>, options: &Options) -> Self {
        let Options { tier_wait_max: wait_max, put_wait_max, .. } = *options;
        Self { tier, wait_max, put_wait_max, stats: TierStats::default() }
    }

    pub(super) fn name(&self) -> &'static str {
        self.tier.name()
    }

    pub(super) async fn look_up(&self, key: &Key) -> Option<Arc<Entry<H>>> {
        let found = self.in_time(self.wait_max, self.tier.look_up(key)).await?;
        match &found {
            Some(_) => self.stats.hits.one_more(),
            None => self.stats.misses.one_more(),
        }
        found
    }

    // Its body is whole by then, and nobody waits for it.
    pub(super) async fn put(&self, key: &Key, entry: Arc<Entry<H>>) {
        self.in_time(self.put_wait_max, self.tier.put(key, entry, None)).await;
    }

    pub(super) async fn remove(&self, key: &Key) {
        self.in_time(self.wait_max, self.tier.remove(key)).await;
    }

    pub(super) fn snapshot(&self) -> TierSnapshot {
        self.stats.snapshot(self.name())
    }

    async fn in_time<T>(&self, limit: Duration, answer: Answer<'_, T>) -> Option<T> {
        let failure = match timeout(limit, answer).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(failure)) => failure,
            Err(_) => {
                self.stats.late.one_more();
                return None;
            }
        };
        self.stats.failed.one_more();
        tracing::debug!(tier = self.name(), %failure, "tier failed");
        None
    }
}
