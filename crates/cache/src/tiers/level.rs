//! A tier below memory as the walk sees it: one that fails or is late is a miss and a count.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::entry::{Entry, Key};
use crate::error::TierFailure;
use crate::lease::Fence;
use crate::options::Options;
use crate::stats::{TierSnapshot, TierStats};
use crate::tier::{Admitted, Answer, Looked, Reach, Tier};

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
        let found = match self.tier.look_up(key) {
            Looked::AtOnce(found) => self.heeded(found),
            Looked::Later(answer) => self.in_time(self.wait_max, answer).await,
        }?;
        match &found {
            Some(_) => self.stats.hits.one_more(),
            None => self.stats.misses.one_more(),
        }
        found
    }

    pub(super) fn answers_at_once(&self) -> bool {
        self.tier.answers_at_once()
    }

    /// What it has at hand. `None` says nothing, and is not counted.
    pub(super) fn look_up_at_once(&self, key: &Key) -> Option<Arc<Entry<H>>> {
        match self.tier.look_up(key) {
            Looked::AtOnce(Ok(Some(entry))) => {
                self.stats.hits.one_more();
                Some(entry)
            }
            Looked::AtOnce(Ok(None) | Err(_)) | Looked::Later(_) => None,
        }
    }

    pub(super) fn reach(&self) -> Reach {
        self.tier.reach()
    }

    pub(super) fn body_bytes_max(&self) -> u64 {
        self.tier.body_bytes_max()
    }

    // A body that arrives takes as long as its origin; the tier bounds how many there are.
    pub(super) async fn put(
        &self,
        key: &Key,
        entry: &Arc<Entry<H>>,
        fence: Option<&Fence>,
    ) -> Option<Admitted> {
        let put = self.tier.put(key, Arc::clone(entry), fence);
        let admitted = match entry.body().end() {
            Some(_) => self.in_time(self.put_wait_max, put).await,
            None => self.heeded(put.await),
        }?;
        match admitted {
            Admitted::Kept => self.stats.stored.one_more(),
            Admitted::Busy => self.stats.busy.one_more(),
            Admitted::Fenced => self.stats.fenced.one_more(),
            Admitted::TooLarge | Admitted::Expired | Admitted::NotWhole | Admitted::NotYet => {
                self.stats.refused.one_more();
            }
        }
        Some(admitted)
    }

    /// `None` if it may still hold it.
    pub(super) async fn remove(&self, key: &Key) -> Option<()> {
        self.in_time(self.wait_max, self.tier.remove(key)).await
    }

    pub(super) fn snapshot(&self) -> TierSnapshot {
        self.stats.snapshot(self.name())
    }

    async fn in_time<T>(&self, limit: Duration, answer: Answer<'_, T>) -> Option<T> {
        if let Ok(answer) = timeout(limit, answer).await {
            return self.heeded(answer);
        }
        self.stats.late.one_more();
        None
    }

    fn heeded<T>(&self, answer: Result<T, TierFailure>) -> Option<T> {
        answer
            .inspect_err(|failure| {
                self.stats.failed.one_more();
                tracing::debug!(tier = self.name(), %failure, "tier failed");
            })
            .ok()
    }
}
