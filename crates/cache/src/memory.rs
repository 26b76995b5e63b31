//! The memory tier: whole entries, bounded in bytes with their overhead, scan-resistant.
//!
//! **What is admitted**: an entry that weighs no more than `entry_bytes_max` (a tenth of the tier,
//! at least 1 MiB, at most 64 MiB, never more than nine tenths of the tier). It must fit its shard, so the
//! number of shards follows from this rule, and what exceeds it is refused here, aloud.
//!
//! Which entry goes for want of room, `memory/table.rs` says.

mod chain;
mod hashing;
mod index;
mod pace;
mod shards;
mod shelves;
mod sketch;
mod table;
mod wanted;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::clock::{Clock, Timestamp};
use crate::entry::{Entry, Head, Key, Shelf};
use crate::lease::Fence;
use crate::options::Options;
use crate::stats::Stats;
use crate::tier::{Admitted, Answer, Looked, Tier};
pub(crate) use hashing::Hashed;
use shelves::{Evicted, Held, Shelves};

/// What an entry costs beyond its key's, head's and body's bytes: two shared allocations, the
/// place in the table with its slack. Measured where tables are just doubled, by
/// `tests/footprint.rs`.
pub(crate) const ENTRY_OVERHEAD: usize = 264;

/// Why an entry went from memory though nobody removed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Eviction {
    /// For want of room.
    Room,
    /// Its time was over.
    Expired,
    /// A purge had killed it.
    Purged,
}

/// Is told which key's entry went, and why. No lock is held meanwhile.
pub(crate) type Listener = Box<dyn Fn(&[u8], Eviction) + Send + Sync>;

/// Whole entries in memory.
pub struct Memory<H: Head> {
    entries: Shelves<H>,
    listener: OnceLock<Listener>,
    entry_bytes_max: usize,
    clock: Clock,
    stats: Arc<Stats>,
}

impl<H: Head> Memory<H> {
    pub(crate) fn new(options: &Options, clock: Clock, stats: Arc<Stats>) -> Self {
        let entry_bytes_max = entry_bytes_max(options);
        let entries = Shelves::new(options, entry_bytes_max);
        Self { entries, listener: OnceLock::new(), entry_bytes_max, clock, stats }
    }

    /// From now on this one is told of evictions; the first who asks for it.
    pub(crate) fn listen(&self, listener: Listener) {
        self.listener.get_or_init(|| listener);
    }

    /// What this tier hashes a key to: for who needs it more than once.
    pub(crate) fn hash(&self, key: &[u8]) -> Hashed {
        self.entries.hash(key)
    }

    /// The entry under this key. What is found expired is reclaimed.
    pub(crate) fn look_up(&self, key: &[u8]) -> Option<Arc<Entry<H>>> {
        self.look_up_at(self.clock.now(), key)
    }

    /// As [`Memory::look_up`], for who has just asked the clock.
    pub(crate) fn look_up_at(&self, now: Timestamp, key: &[u8]) -> Option<Arc<Entry<H>>> {
        let entry = self.peek_at(now, key)?;
        entry.note_use();
        Some(entry)
    }

    /// As [`Memory::look_up`], but it does not count as a use.
    pub(crate) fn peek(&self, key: &[u8]) -> Option<Arc<Entry<H>>> {
        self.peek_at(self.clock.now(), key)
    }

    /// The entry and what `judge` says of it, if that is anything. It does not count as a use, and what is
    /// found expired stays. To be judged quickly and without a lock: who writes waits for it.
    #[inline]
    pub(crate) fn glance<J>(
        &self,
        key: &[u8],
        judge: impl Fn(&Entry<H>) -> Option<J>,
    ) -> Option<(Arc<Entry<H>>, J)> {
        self.entries.find(key, judge)
    }

    #[inline]
    fn peek_at(&self, now: Timestamp, key: &[u8]) -> Option<Arc<Entry<H>>> {
        let (entry, is_expired) = self.entries.find(key, |entry| Some(entry.is_expired(now)))?;
        if is_expired {
            self.reclaim(key);
            return None;
        }
        Some(entry)
    }

    /// Takes an entry, in place of any under the same key. That one goes even if this is too large
    /// or too old, because it is older still; it stays if this broke off.
    pub(crate) fn insert(&self, key: &Key, entry: &Arc<Entry<H>>) -> Admitted {
        let refused = match self.weigh(self.clock.now(), key, entry) {
            Ok(held) => {
                self.note_inserted(self.entries.insert(key, held));
                return Admitted::Kept;
            }
            Err(refused) => refused,
        };
        match refused {
            Admitted::TooLarge | Admitted::Expired => self.remove(key.as_bytes()),
            Admitted::NotWhole
            | Admitted::Kept
            | Admitted::Fenced
            | Admitted::NotYet
            | Admitted::Busy => {}
        }
        refused
    }

    /// Takes an entry if there is none under its key: a promoted one is older than any that is. For who
    /// has just asked the clock, and knows what the key hashes to.
    pub(crate) fn insert_if_absent_at(
        &self,
        now: Timestamp,
        hashed: Hashed,
        key: &Key,
        entry: &Arc<Entry<H>>,
    ) {
        let Ok(held) = self.weigh(now, key, entry) else { return };
        if let Some(evicted) = self.entries.insert_if_absent(hashed, key, held) {
            self.note_inserted(evicted);
        }
    }

    #[cfg(test)]
    fn insert_if_absent(&self, key: &Key, entry: &Arc<Entry<H>>) {
        self.insert_if_absent_at(self.clock.now(), self.hash(key.as_bytes()), key, entry);
    }

    /// Puts one entry in another's place, if that is still held.
    pub(crate) fn replace(
        &self,
        key: &Key,
        old: &Arc<Entry<H>>,
        new: &Arc<Entry<H>>,
    ) -> Option<()> {
        let held = self.weigh(self.clock.now(), key, new).ok()?;
        self.note_evicted(self.entries.replace(key, old, held)?);
        Some(())
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        self.entries.remove_if(key, |_| true);
    }

    /// Removes an entry if it is the one that is held; says whether it was.
    pub(crate) fn remove_this(&self, key: &[u8], entry: &Arc<Entry<H>>) -> bool {
        self.entries.remove_if(key, |held| std::ptr::eq(held, &**entry)).is_some()
    }

    /// As [`Memory::remove_this`], because a purge killed it.
    pub(crate) fn remove_purged(&self, key: &[u8], entry: &Arc<Entry<H>>) {
        if self.remove_this(key, entry) {
            self.stats.purged.one_more();
            self.tell(key, Eviction::Purged);
        }
    }

    /// All entries, in no order, one after the other.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Arc<Entry<H>>)> + Send + '_ {
        self.entries.iter()
    }

    /// A walk over all entries that reclaims the expired ones, a few at a time. It takes a shard's
    /// lock anew for each entry and so holds up nobody.
    pub(crate) fn sweep(&self) -> Sweep<'_, H> {
        Sweep { memory: self, rest: Box::new(self.entries.iter()) }
    }

    /// How many entries are held now.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held now.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What all entries weigh now, overhead counted.
    pub fn bytes(&self) -> usize {
        self.entries.weight() as usize
    }

    /// Whether what comes in now, or soon, drives something out.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.entries.is_nearly_full()
    }

    /// The heaviest entry that is admitted.
    pub fn entry_bytes_max(&self) -> usize {
        self.entry_bytes_max
    }

    fn weigh(&self, now: Timestamp, key: &Key, entry: &Arc<Entry<H>>) -> Result<Held<H>, Admitted> {
        if entry.head().shelf() == Shelf::Nowhere {
            return Err(Admitted::NotWhole);
        }
        let Some(body) = entry.body().as_whole() else { return Err(Admitted::NotWhole) };
        if entry.is_expired(now) {
            return Err(Admitted::Expired);
        }
        let head_bytes = size_of::<H>().saturating_add(entry.head().weight_bytes());
        let weight = head_bytes
            .saturating_add(ENTRY_OVERHEAD + key.as_bytes().len())
            .saturating_add(body.weight_bytes());
        let entry_bytes_max =
            self.entry_bytes_max.min(self.entries.entry_bytes_max(entry.head().shelf()));
        match u32::try_from(weight) {
            Ok(bytes) if weight <= entry_bytes_max => {
                Ok(Held { entry: Arc::clone(entry), weight: bytes })
            }
            Ok(_) | Err(_) => {
                self.stats.refused.one_more();
                Err(Admitted::TooLarge)
            }
        }
    }

    fn note_inserted(&self, evicted: Evicted<H>) {
        self.stats.inserts.one_more();
        self.note_evicted(evicted);
    }

    fn note_evicted(&self, evicted: Evicted<H>) {
        for (key, _) in evicted {
            self.stats.evicted.one_more();
            self.tell(key.as_bytes(), Eviction::Room);
        }
    }

    // Its time may have been extended since it was looked at.
    fn reclaim(&self, key: &[u8]) {
        let now = self.clock.now();
        if self.entries.remove_if(key, |held| held.is_expired(now)).is_some() {
            self.stats.expired.one_more();
            self.tell(key, Eviction::Expired);
        }
    }

    fn tell(&self, key: &[u8], why: Eviction) {
        if let Some(listener) = self.listener.get() {
            listener(key, why);
        }
    }
}

/// The heaviest entry that a memory tier with these options admits.
pub(crate) fn entry_bytes_max(options: &Options) -> usize {
    let capacity = options.memory_bytes_max;
    let rule = (capacity / 10).clamp(1 << 20, 64 << 20);
    // A table counts the weight of one in 32 bits.
    options.entry_bytes_max.unwrap_or(rule).min(capacity / 10 * 9).min(u32::MAX as usize)
}

/// A walk that reclaims; see [`Memory::sweep`].
pub(crate) struct Sweep<'a, H: Head> {
    memory: &'a Memory<H>,
    rest: Box<dyn Iterator<Item = (Key, Arc<Entry<H>>)> + Send + 'a>,
}

impl<H: Head> Sweep<'_, H> {
    /// Looks at so many more entries, and reclaims those of them that have expired or are gone.
    /// `None` when the walk is over.
    pub(crate) fn step(
        &mut self,
        entries: usize,
        is_gone: impl Fn(&[u8], &Entry<H>) -> bool,
    ) -> Option<()> {
        let now = self.memory.clock.now();
        for _ in 0..entries {
            let (key, entry) = self.rest.next()?;
            if entry.is_expired(now) {
                self.memory.reclaim(key.as_bytes());
            } else if is_gone(key.as_bytes(), &entry) {
                self.memory.remove_purged(key.as_bytes(), &entry);
            }
        }
        Some(())
    }
}

impl<H: Head> Tier<H> for Memory<H> {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn look_up<'a>(&'a self, key: &'a Key) -> Looked<'a, H> {
        Looked::AtOnce(Ok(Memory::look_up(self, key.as_bytes())))
    }

    fn body_bytes_max(&self) -> u64 {
        self.entry_bytes_max.saturating_sub(ENTRY_OVERHEAD) as u64
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        entry: Arc<Entry<H>>,
        _: Option<&'a Fence>,
    ) -> Answer<'a, Admitted> {
        Box::pin(async move {
            entry.body().ended().await;
            Ok(self.insert(key, &entry))
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()> {
        Box::pin(async move {
            Memory::remove(self, key.as_bytes());
            Ok(())
        })
    }
}

impl<H: Head> fmt::Debug for Memory<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Memory");
        shown.field("entries", &self.len()).field("bytes", &self.bytes()).finish()
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;

#[cfg(test)]
#[cfg(shuttle)]
mod interleavings;
