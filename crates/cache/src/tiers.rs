//! The walk down the tiers and back up: look up, join, fill.
//!
//! Nothing here runs by itself but [`Tiers::sweep`], which the caller spawns, and writes into the
//! tiers below memory, which go behind the answer.

mod below;
mod clearance;
mod cleared;
mod fill;
mod hottest;
mod level;
mod lookups;
mod overwrite;
mod promote;
mod purged;
mod removals;
mod survey;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::body::{Body, BodyWriter, Limits};
use crate::budget::{Budget, CHUNK_OVERHEAD};
use crate::clock::{Clock, Timestamp};
use crate::entry::{Entry, Head, Key};
use crate::flight::{Bounds, Ending, Entrance, Flight, Flights, Follower, RefreshEntrance};
use crate::lease::Leases;
use crate::log::Purges;
use crate::memory::{self, Memory};
use crate::options::Options;
use crate::stats::{Snapshot, Stats};
use crate::tier::Tier;
use below::{Below, Into};
pub use clearance::{Clearance, Shared};
pub use cleared::Cleared;
pub use hottest::Used;
use promote::Promotion;
pub use removals::Mark;
use removals::Removals;

/// Entries that a sweep looks at before it lets others run.
const SWEEP_STEP: usize = 256;

/// Flights that a caller tries to join whose entry was purged meanwhile.
const JOINS_MAX: usize = 4;

/// An entry, and the tier that had it.
#[derive(Debug)]
pub struct Found<H> {
    /// What was found.
    pub entry: Arc<Entry<H>>,
    /// The tier's name.
    pub tier: &'static str,
}

impl<H> Clone for Found<H> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), tier: self.tier }
    }
}

/// Under which key an entry is kept, and what must be found before it can be: the index that names
/// it, which memory holds already.
#[derive(Debug)]
pub struct Place<H> {
    /// The entry's key.
    pub key: Key,
    /// The index and its key.
    pub index: Option<(Key, Arc<Entry<H>>)>,
}

impl<H> From<Key> for Place<H> {
    fn from(key: Key) -> Self {
        Self { key, index: None }
    }
}

/// What a caller is told who must go to the origin.
#[derive(Debug)]
pub enum Joined<H, F> {
    /// Fetch for all, and end the flight.
    Lead(Flight<H, F>),
    /// Wait, with [`Tiers::wait`].
    Follow(Follower<H, F>),
    /// Somebody filled it meanwhile, or its body is arriving just now. Judge it as any.
    Filled(Arc<Entry<H>>),
    /// Fetch for yourself: the key is not shareable, or there is no room to wait.
    Unshared,
}

/// What a caller is told who would refresh behind an answer. Nobody waits for a refresh.
#[derive(Debug)]
pub enum Refresh<H, F> {
    /// Fetch, and end the flight.
    Lead(Flight<H, F>),
    /// A flight for the key is under way already, or there is no room for one.
    Underway,
    /// The last refresh failed; none is tried until then.
    Resting(Timestamp),
    /// Somebody filled it meanwhile.
    Filled(Arc<Entry<H>>),
}

/// The cache. Cloning it shares it. `F` is what a failed fetch tells its followers.
pub struct Tiers<H: Head, F> {
    parts: Arc<Parts<H, F>>,
}

struct Parts<H: Head, F> {
    memory: Memory<H>,
    below: Arc<Below<H>>,
    leases: Option<Arc<dyn Leases>>,
    flights: Arc<Flights<H, F>>,
    removals: Arc<Removals>,
    purges: Purges,
    budget: Budget,
    limits: Limits,
    clock: Clock,
    stats: Arc<Stats>,
}

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// A cache of memory alone.
    pub fn new(options: &Options, clock: Clock) -> Self {
        Self::with_tiers(options, clock, &options.budget(), Vec::new(), None, Purges::default())
    }

    /// A cache of memory over these tiers, the nearest first, whose bodies count against the same
    /// budget. With leases, one node of a cluster fetches for all. What the purges say is gone is
    /// found nowhere.
    pub fn with_tiers(
        options: &Options,
        clock: Clock,
        budget: &Budget,
        below: Vec<Arc<dyn Tier<H>>>,
        leases: Option<Arc<dyn Leases>>,
        purges: Purges,
    ) -> Self {
        below.iter().for_each(|tier| tier.heed(&purges));
        let stats = Arc::new(Stats::default());
        let below = Below::new(below, options, purges.clone());
        let flights =
            Flights::new(bounds(options), clock.clone(), Arc::clone(&stats), purges.clone());
        let parts = Parts {
            memory: Memory::new(options, clock.clone(), Arc::clone(&stats)),
            limits: limits(options, below.body_bytes_max()),
            below: Arc::new(below),
            leases,
            flights,
            removals: Arc::new(Removals::new(purges.clone())),
            purges,
            budget: budget.clone(),
            clock,
            stats,
        };
        Self { parts: Arc::new(parts) }
    }

    /// The entry if memory has it. Waits for nothing and allocates nothing.
    pub fn look_up_memory(&self, key: &[u8]) -> Option<Arc<Entry<H>>> {
        self.look_up_memory_at(self.parts.clock.now(), key)
    }

    /// As [`Tiers::look_up_memory`], for who has just asked the clock.
    pub fn look_up_memory_at(&self, now: Timestamp, key: &[u8]) -> Option<Arc<Entry<H>>> {
        let entry = self.unless_gone(key, self.parts.memory.look_up_at(now, key)?)?;
        self.parts.stats.memory_hits.one_more();
        Some(entry)
    }

    /// What memory has under the key, and what `judge` says of it, if that is anything: not counted, and
    /// the purges not asked. Who gives it then says [`Tiers::note_hit`]. It is judged under a lock, so
    /// quickly, and without another.
    #[inline]
    pub(crate) fn glance<J>(
        &self,
        key: &[u8],
        judge: impl Fn(&Entry<H>) -> Option<J>,
    ) -> Option<(Arc<Entry<H>>, J)> {
        self.parts.memory.glance(key, judge)
    }

    /// From now on this one is told what went from memory though nobody removed it.
    pub(crate) fn listen(&self, listener: memory::Listener) {
        self.parts.memory.listen(listener);
    }

    /// What was glanced at is given.
    #[inline]
    pub(crate) fn note_hit(&self, entry: &Entry<H>) {
        entry.note_use();
        self.parts.stats.memory_hits.one_more();
    }

    /// As [`Tiers::look_up_memory`], but it does not count as a use.
    pub fn peek(&self, key: &[u8]) -> Option<Arc<Entry<H>>> {
        self.unless_gone(key, self.parts.memory.peek(key)?)
    }

    /// Whether there is any tier below memory.
    pub fn has_tiers(&self) -> bool {
        !self.parts.below.is_empty()
    }

    /// The entry from the first tier that has it, promoted into those above. Many who ask at once
    /// for what memory does not have ask the tiers once. Dropped while it waits, it leaves nothing
    /// behind.
    pub async fn look_up(&self, key: &Key) -> Option<Found<H>> {
        if let Some(entry) = self.look_up_memory(key.as_bytes()) {
            return Some(Found { entry, tier: self.parts.memory.name() });
        }
        self.look_up_below(key).await
    }

    /// As [`Tiers::look_up`], for who has just looked in memory.
    pub async fn look_up_below(&self, key: &Key) -> Option<Found<H>> {
        let hashed = self.parts.memory.hash(key.as_bytes());
        let mark = self.mark(key.as_bytes());
        if let Some((found, depth)) = self.parts.below.look_up(hashed, key).await {
            let now = self.parts.clock.now();
            // Who waited for another's look may have come after the purge that he did not know.
            if self.is_live(now, key, &found.entry) {
                if let Some(depth) = depth {
                    let (key, entry) = (key.clone(), Arc::clone(&found.entry));
                    self.promote(now, Promotion { key, hashed, entry, depth, mark });
                }
                return Some(found);
            }
        }
        self.parts.stats.misses.one_more();
        None
    }

    /// Whether [`Tiers::look_up_at_once`] is worth asking.
    pub fn answers_at_once(&self) -> bool {
        self.parts.below.answers_at_once()
    }

    /// As [`Tiers::look_up_below`], but only what need not be waited for. Where that is nothing, it says
    /// nothing of what the tiers hold, and is not counted.
    pub fn look_up_at_once(&self, key: &Key) -> Option<Found<H>> {
        let hashed = self.parts.memory.hash(key.as_bytes());
        let mark = self.mark(key.as_bytes());
        let found = self.parts.below.look_up_at_once(hashed, key)?;
        let now = self.parts.clock.now();
        if !self.is_live(now, key, &found.entry) {
            return None;
        }
        let (key, entry) = (key.clone(), Arc::clone(&found.entry));
        self.promote(now, Promotion { key, hashed, entry, depth: 0, mark });
        Some(found)
    }

    /// Joins those who want the key. `seen` is the entry that the caller found and could not use:
    /// if memory has another by now, that is the answer, and nobody fetches again what was just
    /// fetched.
    pub fn join(&self, key: &Key, seen: Option<&Arc<Entry<H>>>) -> Joined<H, F> {
        for _ in 0..JOINS_MAX {
            match self.join_once(key, seen) {
                Joined::Filled(entry) if self.is_gone(&entry, key.as_bytes()) => {
                    self.parts.flights.spoil_filled(key.as_bytes(), &entry);
                }
                joined @ (Joined::Lead(_)
                | Joined::Follow(_)
                | Joined::Filled(_)
                | Joined::Unshared) => return joined,
            }
        }
        Joined::Unshared
    }

    fn join_once(&self, key: &Key, seen: Option<&Arc<Entry<H>>>) -> Joined<H, F> {
        let stats = &self.parts.stats;
        match self.parts.flights.join(key, seen) {
            Entrance::Lead(flight) => match self.lead_or_found(flight, seen) {
                Ok(flight) => Joined::Lead(flight),
                Err(entry) => Joined::Filled(entry),
            },
            Entrance::Follow(follower) => {
                stats.followed.one_more();
                Joined::Follow(follower)
            }
            Entrance::Filled(entry) => {
                stats.followed.one_more();
                Joined::Filled(entry)
            }
            Entrance::Unshared => {
                stats.unshared.one_more();
                Joined::Unshared
            }
        }
    }

    /// Waits for the leader, for so long. Dropped while it waits, it leaves the queue; if it had
    /// just been given the lead, another follower gets it. What was purged while it was fetched is
    /// no answer: then the key is joined anew, within the same time.
    pub async fn wait(&self, follower: Follower<H, F>, limit: Duration) -> Ending<H, F> {
        let (begun, mut follower) = (Instant::now(), follower);
        loop {
            let (key, seen) = (follower.key().clone(), follower.seen().cloned());
            let rest = limit.saturating_sub(begun.elapsed());
            let entry = match self.wait_once(follower, rest).await {
                Ending::Filled(entry) if self.is_gone(&entry, key.as_bytes()) => entry,
                ending @ (Ending::Filled(_)
                | Ending::Lead(_)
                | Ending::Declined
                | Ending::Abandoned(_)
                | Ending::TimedOut) => return ending,
            };
            self.parts.flights.spoil_filled(key.as_bytes(), &entry);
            follower = match self.join(&key, seen.as_ref()) {
                Joined::Follow(next) => next,
                Joined::Lead(flight) => return Ending::Lead(flight),
                Joined::Filled(entry) => return Ending::Filled(entry),
                Joined::Unshared => return Ending::Declined,
            };
        }
    }

    async fn wait_once(&self, follower: Follower<H, F>, limit: Duration) -> Ending<H, F> {
        let seen = follower.seen().cloned();
        match follower.wait(limit).await {
            // The lead came late: somebody may have filled the entry before.
            Ending::Lead(flight) => match self.lead_or_found(flight, seen.as_ref()) {
                Ok(flight) => Ending::Lead(flight),
                Err(entry) => Ending::Filled(entry),
            },
            ending @ (Ending::Filled(_)
            | Ending::Declined
            | Ending::Abandoned(_)
            | Ending::TimedOut) => ending,
        }
    }

    /// Asks for the lead of a refresh behind an answer, which `seen` gave.
    pub fn refresh(&self, key: &Key, seen: &Arc<Entry<H>>) -> Refresh<H, F> {
        match self.parts.flights.refresh(key) {
            RefreshEntrance::Lead(flight) => match self.lead_or_found(flight, Some(seen)) {
                Ok(flight) => Refresh::Lead(flight),
                Err(entry) => Refresh::Filled(entry),
            },
            RefreshEntrance::Underway => Refresh::Underway,
            RefreshEntrance::Resting(until) => Refresh::Resting(until),
        }
    }

    /// Lets a key rest: no refresh of it is tried within `pause`. For a fetch that failed after
    /// its flight was filled, because its body broke.
    pub fn rest(&self, key: &Key, pause: Duration) {
        self.parts.flights.rest(key, pause, None);
    }

    /// If the key rests, so that no refresh of it is tried: the failure that it rests after, where
    /// its flight ended with one.
    pub fn resting(&self, key: &[u8]) -> Option<Option<Arc<F>>> {
        self.parts.flights.resting(key)
    }

    /// The longest body that any tier keeps.
    pub fn kept_bytes_max(&self) -> u64 {
        self.parts.limits.kept_bytes_max.max(self.parts.limits.tapped_bytes_max)
    }

    /// A body within this cache's limits and budget, and its writer.
    pub fn arriving(&self, expected_len: Option<u64>) -> (BodyWriter, Body) {
        self.arriving_within(u64::MAX, expected_len)
    }

    /// As [`Tiers::arriving`], kept only up to so many bytes if that is less.
    pub fn arriving_within(
        &self,
        kept_bytes_max: u64,
        expected_len: Option<u64>,
    ) -> (BodyWriter, Body) {
        let limits = self.parts.limits;
        let limits = Limits {
            kept_bytes_max: limits.kept_bytes_max.min(kept_bytes_max),
            tapped_bytes_max: limits.tapped_bytes_max.min(kept_bytes_max),
            ..limits
        };
        Body::arriving(limits, &self.parts.budget, expected_len)
    }

    /// Forgets the key in all tiers, and does not keep what is being fetched for it now. Dropped
    /// while it waits, memory has forgotten already, the tiers below perhaps not. A tier that fails
    /// is a count.
    pub async fn remove(&self, key: &Key) {
        // Counted by the tier's level.
        let _ = self.remove_surely(key).await;
    }

    /// Drops what memory has under the key; the tiers below keep what they have.
    pub fn drop_from_memory(&self, key: &Key) {
        self.parts.memory.remove(key.as_bytes());
    }

    /// Reclaims what has expired or was purged, forever: a walk over memory, a pause, and again. To be
    /// spawned. A purge ends the pause while memory is nearly full: what it has killed is to go before
    /// anything else does.
    pub async fn sweep(&self, pause: Duration) {
        loop {
            let purged = async {
                self.parts.purges.changed().await;
                while !self.parts.memory.is_nearly_full() {
                    self.parts.purges.changed().await;
                }
            };
            // Either way it is time.
            let _ = tokio::time::timeout(pause, purged).await;
            let begun = Instant::now();
            let mut walk = self.parts.memory.sweep();
            while walk.step(SWEEP_STEP, |key, entry| self.is_gone(entry, key)).is_some() {
                tokio::task::yield_now().await;
            }
            // However many purges come, half of the time is left for others.
            tokio::time::sleep(begun.elapsed().min(pause)).await;
        }
    }

    /// What bodies are counted against.
    pub fn budget(&self) -> &Budget {
        &self.parts.budget
    }

    /// The memory tier, for its numbers.
    pub fn memory(&self) -> &Memory<H> {
        &self.parts.memory
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    /// All counts, now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            windowed: self.parts.budget.windowed() as u64,
            entries: self.parts.memory.len() as u64,
            memory_bytes: self.parts.memory.bytes() as u64,
            body_bytes: self.parts.budget.bytes() as u64,
            flights: self.parts.flights.open() as u64,
            puts_dropped: self.parts.below.puts_dropped.now(),
            purged: self.parts.stats.purged.now() + self.parts.below.purged.now(),
            tiers: self.parts.below.snapshot(),
            ..self.parts.stats.snapshot()
        }
    }

    fn lead_or_found(
        &self,
        flight: Flight<H, F>,
        seen: Option<&Arc<Entry<H>>>,
    ) -> Result<Flight<H, F>, Arc<Entry<H>>> {
        match self.peek(flight.key().as_bytes()) {
            Some(entry) if seen.is_none_or(|seen| !Arc::ptr_eq(seen, &entry)) => {
                drop(flight.withdraw(Arc::clone(&entry)));
                Err(entry)
            }
            Some(_) | None => {
                self.parts.stats.led.one_more();
                Ok(flight)
            }
        }
    }

    fn forget_in_memory(&self, key: &Key) {
        self.parts.removals.note(key.as_bytes());
        self.parts.memory.remove(key.as_bytes());
    }
}

fn bounds(options: &Options) -> Bounds {
    Bounds {
        flights_max: options.flights_max,
        followers_max: options.followers_max,
        declined_max: options.declined_max,
        resting_max: options.resting_max,
    }
}

// What memory would refuse is not kept while it arrives either; a page costs something, too.
fn limits(options: &Options, below_bytes_max: u64) -> Limits {
    let admitted = memory::entry_bytes_max(options).saturating_sub(memory::ENTRY_OVERHEAD);
    let kept = (admitted - admitted / 64).saturating_sub(CHUNK_OVERHEAD) as u64;
    Limits {
        kept_bytes_max: options.kept_bytes_max.map_or(kept, |asked| asked.min(kept)),
        tapped_bytes_max: below_bytes_max,
        window_bytes_max: options.window_bytes_max,
    }
}

impl<H: Head, F> Clone for Tiers<H, F> {
    fn clone(&self) -> Self {
        Self { parts: Arc::clone(&self.parts) }
    }
}

impl<H: Head, F> fmt::Debug for Tiers<H, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tiers");
        shown.field("memory", &self.parts.memory).field("flights", &self.parts.flights);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
