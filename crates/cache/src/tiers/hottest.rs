//! The entries that are used the most: what is worth fetching again first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::{SWEEP_STEP, Tiers};
use crate::entry::{Entry, Head, Key};

/// An entry in memory and how often it was used there.
#[derive(Debug)]
pub struct Used<H> {
    /// Under which key it lies.
    pub key: Key,
    /// The entry.
    pub entry: Arc<Entry<H>>,
    /// How often it was found, about: uses at the same instant may count as one.
    pub uses: u32,
}

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// The entries of memory that pass, the most used first, `count` of them at most. A walk over
    /// memory that lets others run; for operators, not for a request's way.
    pub async fn hottest(
        &self,
        count: usize,
        passes: impl Fn(&Key, &Entry<H>) -> bool + Send,
    ) -> Vec<Used<H>> {
        let mut kept: BinaryHeap<Reverse<ByUses<H>>> = BinaryHeap::new();
        let mut all = self.parts.memory.iter();
        loop {
            let mut seen = 0;
            for (key, entry) in all.by_ref().take(SWEEP_STEP) {
                seen += 1;
                if passes(&key, &entry) {
                    let uses = entry.uses();
                    kept.push(Reverse(ByUses(Used { key, entry, uses })));
                }
                if kept.len() > count {
                    kept.pop();
                }
            }
            if seen < SWEEP_STEP {
                break;
            }
            tokio::task::yield_now().await;
        }
        kept.into_sorted_vec().into_iter().map(|Reverse(ByUses(used))| used).collect()
    }
}

/// Ordered by its uses.
struct ByUses<H>(Used<H>);

impl<H> PartialEq for ByUses<H> {
    fn eq(&self, other: &Self) -> bool {
        self.0.uses == other.0.uses
    }
}

impl<H> Eq for ByUses<H> {}

impl<H> PartialOrd for ByUses<H> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<H> Ord for ByUses<H> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.uses.cmp(&other.0.uses)
    }
}
