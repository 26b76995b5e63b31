//! A table in shards, each behind a lock of its own. A hit shares its shard's lock and writes nothing into
//! the table.

use std::sync::Arc;

use super::hashing::Hashed;
use super::table::{Counted, Table};
use crate::entry::{Entry, Head, Key};
use crate::sync::{RwLock, RwLockWriteGuard};

/// Shards at most; the bound on a large machine's contention for one.
const SHARDS_MAX: usize = 64;
/// Empty slots that a walk goes through before it lets others have the lock.
const WALK_SLOTS: usize = 1_024;

/// What lies under a key.
pub(super) type Lying<H> = Arc<Entry<H>>;

pub(super) struct Shards<H> {
    shards: Box<[Shard<H>]>,
    /// What one of them holds at most.
    shard_bytes_max: usize,
}

// As wide as what processors fetch at once.
#[repr(align(128))]
struct Shard<H>(RwLock<Table<Lying<H>>>);

impl<H> Counted for Lying<H> {
    #[inline]
    fn uses(&self) -> u32 {
        Entry::uses(self)
    }
}

impl<H: Head> Shards<H> {
    /// Of so many bytes together; as many as leave room for the heaviest entry in each.
    pub(super) fn new(bytes_max: usize, entry_bytes_max: usize) -> Self {
        let mut count = SHARDS_MAX;
        while count > 1 && bytes_max / count < entry_bytes_max {
            count /= 2;
        }
        let shard_bytes_max = bytes_max / count;
        let shard = |_| Shard(RwLock::new(Table::new(shard_bytes_max as u64)));
        Self { shards: (0..count).map(shard).collect(), shard_bytes_max }
    }

    /// The heaviest entry that can lie here.
    pub(super) fn entry_bytes_max(&self) -> usize {
        self.shard_bytes_max
    }

    #[inline]
    pub(super) fn find(&self, hashed: Hashed, key: &[u8]) -> Option<Lying<H>> {
        let shard = self.shards.get(hashed.shard() & (self.shards.len() - 1))?;
        shard.0.read().find(hashed.place(), key).cloned()
    }

    /// The table in which such a key lies, for oneself.
    pub(super) fn lock(&self, hashed: Hashed) -> RwLockWriteGuard<'_, Table<Lying<H>>> {
        self.shards[hashed.shard() & (self.shards.len() - 1)].0.write()
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    pub(super) fn weight(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.read().weight()).sum()
    }

    /// What all of them hold at most.
    pub(super) fn bytes_max(&self) -> u64 {
        (self.shard_bytes_max * self.shards.len()) as u64
    }

    /// A walk over all, which takes a lock anew for each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Lying<H>)> + Send + '_ {
        self.shards.iter().flat_map(|shard| Walk { shard, slot: 0 })
    }
}

/// A walk over one shard.
struct Walk<'a, H> {
    shard: &'a Shard<H>,
    slot: usize,
}

impl<H: Head> Iterator for Walk<'_, H> {
    type Item = (Key, Lying<H>);

    fn next(&mut self) -> Option<(Key, Lying<H>)> {
        loop {
            let table = self.shard.0.read();
            let end = self.slot.saturating_add(WALK_SLOTS);
            if let Some((slot, key, lying)) = table.first_in(self.slot..end) {
                self.slot = slot + 1;
                return Some((key.clone(), Arc::clone(lying)));
            }
            if end >= table.slots() {
                return None;
            }
            self.slot = end;
        }
    }
}
