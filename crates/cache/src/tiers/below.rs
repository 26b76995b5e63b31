//! The tiers below memory: looked up one after the other, once for all who want the same key, and
//! filled behind the answer.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use tokio::sync::Semaphore;

use crate::entry::{Entry, Head, Key};
use crate::error::TierFailure;
use crate::lease::{Fence, Lease, Word};
use crate::log::Purges;
use crate::memory::Hashed;
use crate::options::Options;
use crate::purge::Verdict;
use crate::stats::{Count, TierSnapshot};
use crate::tier::{Admitted, Reach, Tier};

use super::Found;
use super::level::Level;
use super::lookups::{LookUps, Turn};
use super::removals::{Mark, Removals};

/// Entries that are reclaimed below at once because a purge killed them. Over it, they stay until
/// they are found again, or their time is over.
const RECLAIMS_MAX: usize = 64;

pub(super) struct Below<H> {
    levels: Vec<Arc<Level<H>>>,
    lookups: LookUps<H>,
    puts: Arc<Semaphore>,
    reclaims: Arc<Semaphore>,
    purges: Purges,
    pub(super) puts_dropped: Count,
    pub(super) purged: Count,
}

/// An entry, the key under which it goes into the tiers, and the index that must be there first.
pub(super) struct Load<H> {
    pub(super) key: Key,
    pub(super) entry: Arc<Entry<H>>,
    pub(super) index: Option<(Key, Arc<Entry<H>>)>,
    /// How often the key had been removed when its fetch began.
    pub(super) mark: Mark,
    pub(super) lease: Option<Box<dyn Lease>>,
}

/// Which of the tiers a load goes into.
#[derive(Clone, Copy, Debug)]
pub(super) enum Into {
    /// All of them.
    All,
    /// So many, from the nearest on: those above the one that had it.
    Nearest(usize),
}

impl<H: Head> Below<H> {
    pub(super) fn new(tiers: Vec<Arc<dyn Tier<H>>>, options: &Options, purges: Purges) -> Self {
        Self {
            levels: tiers.into_iter().map(|tier| Arc::new(Level::new(tier, options))).collect(),
            lookups: LookUps::new(),
            puts: Arc::new(Semaphore::new(options.puts_max.min(Semaphore::MAX_PERMITS))),
            reclaims: Arc::new(Semaphore::new(RECLAIMS_MAX)),
            purges,
            puts_dropped: Count::default(),
            purged: Count::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The longest body that any of them keeps for this node.
    pub(super) fn body_bytes_max(&self) -> u64 {
        let own = self.levels.iter().filter(|level| level.reach() == Reach::Node);
        own.map(|level| level.body_bytes_max()).max().unwrap_or(0)
    }

    /// The longest body that all nodes may share.
    pub(super) fn shared_bytes_max(&self) -> u64 {
        let shared = self.levels.iter().filter(|level| level.reach() == Reach::Cluster);
        shared.map(|level| level.body_bytes_max()).max().unwrap_or(0)
    }

    /// The entry from the first tier that has it, and how many tiers lie above that one, for the one
    /// who is to promote it: many who ask at once ask the tiers once.
    pub(super) async fn look_up(
        &self,
        hashed: Hashed,
        key: &Key,
    ) -> Option<(Found<H>, Option<usize>)> {
        loop {
            match self.lookups.enter(hashed, key) {
                Turn::Look(look) => {
                    let found = self.walk(key).await;
                    look.tell(found.as_ref().map(|(found, _)| found.clone()));
                    return found.map(|(found, depth)| (found, Some(depth)));
                }
                // Whoever looked promotes it.
                Turn::Wait(told) => match told.await {
                    Some(found) => return found.map(|found| (found, None)),
                    None => continue,
                },
            }
        }
    }

    /// Whether the nearest tier mostly need not be waited for.
    pub(super) fn answers_at_once(&self) -> bool {
        self.levels.first().is_some_and(|level| level.answers_at_once())
    }

    /// The entry, if the nearest tier has it at hand and nobody looks for it just now.
    pub(super) fn look_up_at_once(&self, hashed: Hashed, key: &Key) -> Option<Found<H>> {
        let level = self.levels.first().filter(|level| level.answers_at_once())?;
        let Turn::Look(look) = self.lookups.enter(hashed, key) else { return None };
        let entry = level.look_up_at_once(key).filter(|entry| !self.is_gone(entry, key))?;
        let found = Found { entry, tier: level.name() };
        look.tell(Some(found.clone()));
        Some(found)
    }

    /// The entry from the tiers that all nodes share.
    pub(super) async fn look_up_shared(&self, key: &Key) -> Option<(Found<H>, usize)> {
        for (depth, level) in self.levels.iter().enumerate() {
            if level.reach() == Reach::Cluster
                && let Some(entry) = self.look_up_in(level, key).await
            {
                return Some((Found { entry, tier: level.name() }, depth));
            }
        }
        None
    }

    /// Says which of them may still hold it.
    pub(super) async fn remove(&self, key: &Key) -> Result<(), TierFailure> {
        let all = join_all(self.levels.iter().map(|level| level.remove(key))).await;
        let named = self.levels.iter().zip(all);
        let failed: Vec<_> =
            named.filter(|(_, done)| done.is_none()).map(|(level, _)| level.name()).collect();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(TierFailure::new(format!(
                "cannot remove what lies in {}: it failed, or was late",
                failed.join(" and ")
            ))),
        }
    }

    /// Stores a load, and waits for it.
    pub(super) async fn store_now(&self, load: &Load<H>, into: Into, removals: &Removals) {
        join(self.store(load, None, into, removals), self.store_own(load, into, removals)).await;
    }

    /// What each tier has, whatever the purges say of it.
    pub(super) async fn survey(&self, key: &Key) -> Vec<Found<H>> {
        let all = join_all(self.levels.iter().map(|level| level.look_up(key))).await;
        let named = self.levels.iter().zip(all);
        named
            .filter_map(|(level, entry)| Some(Found { entry: entry?, tier: level.name() }))
            .collect()
    }

    pub(super) fn snapshot(&self) -> Vec<TierSnapshot> {
        self.levels.iter().map(|level| level.snapshot()).collect()
    }

    async fn walk(&self, key: &Key) -> Option<(Found<H>, usize)> {
        for (depth, level) in self.levels.iter().enumerate() {
            if let Some(entry) = self.look_up_in(level, key).await {
                return Some((Found { entry, tier: level.name() }, depth));
            }
        }
        None
    }

    // What a purge has killed is not there. One below may hold what was fetched since.
    async fn look_up_in(&self, level: &Arc<Level<H>>, key: &Key) -> Option<Arc<Entry<H>>> {
        let entry = level.look_up(key).await?;
        if !self.is_gone(&entry, key) {
            return Some(entry);
        }
        self.reclaim_behind(level, key);
        None
    }

    fn is_gone(&self, entry: &Entry<H>, key: &Key) -> bool {
        matches!(self.purges.judge_entry(entry, key.as_bytes()), Verdict::Gone { .. })
    }

    // A fetch that is faster than this loses its copy there, which costs another fetch at most.
    fn reclaim_behind(&self, level: &Arc<Level<H>>, key: &Key) {
        self.purged.one_more();
        let permit = Arc::clone(&self.reclaims).try_acquire_owned().ok();
        let (Some(permit), Ok(runtime)) = (permit, tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (level, key) = (Arc::clone(level), key.clone());
        runtime.spawn(async move {
            level.remove(&key).await;
            drop(permit);
        });
    }

    // The shared tiers first: other nodes wait for them.
    async fn store(
        &self,
        load: &Load<H>,
        fence: Option<&Fence>,
        into: Into,
        removals: &Removals,
    ) -> Word {
        let mut word = Word::Local;
        for level in self.chosen(into, Reach::Cluster) {
            for (key, entry) in self.pieces(load) {
                let admitted = level.put(key, entry, fence).await;
                word = if admitted == Some(Admitted::Kept) { Word::Stored } else { Word::Local };
            }
            self.take_back(level, load, removals).await;
        }
        word
    }

    async fn store_own(&self, load: &Load<H>, into: Into, removals: &Removals) {
        for level in self.chosen(into, Reach::Node) {
            // At once, since the begin of what arrives is not held for long.
            join_all(self.pieces(load).map(|(key, entry)| level.put(key, entry, None))).await;
            self.take_back(level, load, removals).await;
        }
    }

    async fn take_back(&self, level: &Level<H>, load: &Load<H>, removals: &Removals) {
        if removals.is_since(load.mark, load.key.as_bytes()) {
            level.remove(&load.key).await;
        }
    }

    // What a purge has overtaken on its way stays out.
    fn pieces<'a>(
        &'a self,
        load: &'a Load<H>,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Entry<H>>)> {
        load.pieces().filter(|(key, entry)| !self.is_gone(entry, key))
    }

    fn chosen(&self, into: Into, reach: Reach) -> impl Iterator<Item = &Arc<Level<H>>> {
        self.levels.iter().enumerate().filter_map(move |(depth, level)| {
            let is_wanted = match into {
                Into::All => true,
                Into::Nearest(count) => depth < count,
            };
            (is_wanted && level.reach() == reach).then_some(level)
        })
    }
}

impl<H> Load<H> {
    fn pieces(&self) -> impl Iterator<Item = (&Key, &Arc<Entry<H>>)> {
        let index = self.index.as_ref().map(|(key, entry)| (key, entry));
        index.into_iter().chain([(&self.key, &self.entry)])
    }
}

/// Stores a load behind the answer, and then ends its lease. Over the bound of loads at once, it
/// stays in memory only.
pub(super) fn store_behind<H: Head>(
    below: &Arc<Below<H>>,
    removals: &Arc<Removals>,
    mut load: Load<H>,
    into: Into,
) {
    let permit = match below.is_empty() {
        true => None,
        false => Arc::clone(&below.puts).try_acquire_owned().ok(),
    };
    let (Some(permit), Ok(runtime)) = (permit, tokio::runtime::Handle::try_current()) else {
        if !below.is_empty() {
            below.puts_dropped.one_more();
        }
        return end(load.lease, Word::Local);
    };
    let (below, removals) = (Arc::clone(below), Arc::clone(removals));
    let lease = load.lease.take();
    let fence = lease.as_ref().map(|lease| lease.fence());
    // What arrives while it is stored must be joined before its begin has gone.
    let hold = load.entry.body().tap();
    runtime.spawn(async move {
        let _permit = permit;
        let shared = async {
            let word = below.store(&load, fence.as_ref(), into, &removals).await;
            end(lease, word);
        };
        let own = below.store_own(&load, into, &removals);
        let mut storing = pin!(join(shared, own));
        let begun = futures_util::poll!(storing.as_mut());
        drop(hold);
        if begun.is_pending() {
            storing.await;
        }
    });
}

/// Ends a lease, where there is one.
pub(super) fn end(lease: Option<Box<dyn Lease>>, word: Word) {
    if let Some(lease) = lease {
        lease.end(word);
    }
}
