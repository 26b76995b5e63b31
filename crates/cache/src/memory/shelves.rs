//! The tables of the memory tier: one for all entries, and one aside with a bound of its own.
//!
//! A key lies on one shelf at a time. Whoever puts it on one takes it off the other *after*, so that of
//! two who do so at once at most the later's stays.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::OptionsBuilder;
use quick_cache::sync::{Cache, EntryAction, EntryResult};

use super::hashing::{Bytes, Hasher};
use super::policy::{self, ByWeight, Evictions, Held};
use crate::entry::{Entry, Head, Key, Shelf};
use crate::options::Options;
use crate::stats::Stats;

/// Shards at most; the bound on a large machine's contention for one.
const SHARDS_MAX: usize = 64;

/// The share of a table from which on it is nearly full: shards fill unevenly.
const NEARLY_FULL: (u64, u64) = (7, 8);

type Table<H> = Cache<Key, Held<H>, ByWeight, Hasher, Evictions>;

/// All tables.
pub(super) struct Shelves<H> {
    main: Table<H>,
    aside: Option<Table<H>>,
}

impl<H: Head> Shelves<H> {
    pub(super) fn new(options: &Options, entry_bytes_max: usize, stats: &Arc<Stats>) -> Self {
        let table = |capacity: usize, entry_bytes_max| {
            let built = OptionsBuilder::new()
                .weight_capacity(capacity as u64)
                .estimated_items_capacity(capacity / options.entry_bytes_typical.max(1))
                .hot_allocation(policy::HOT_SHARE)
                .shards(shards(capacity, entry_bytes_max))
                .build()
                .expect("both capacities are set above");
            let evictions = Evictions::new(Arc::clone(stats));
            Cache::with_options(built, ByWeight, Hasher::new(options.hashing), evictions)
        };
        let aside = options.aside_bytes_max;
        Self {
            main: table(options.memory_bytes_max, entry_bytes_max),
            aside: aside.map(|capacity| table(capacity, entry_bytes_max.min(capacity / 10 * 9))),
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Held<H>> {
        let key = Bytes::of(key);
        self.main.get(&key).or_else(|| self.aside.as_ref()?.get(&key))
    }

    pub(super) fn peek(&self, key: &[u8]) -> Option<Held<H>> {
        self.main.peek(key).or_else(|| self.aside.as_ref()?.peek(key))
    }

    pub(super) fn insert(&self, key: &Key, held: Held<H>) {
        let (own, other) = self.of(&held);
        own.insert(key.clone(), held);
        if let Some(other) = other {
            other.remove(key.as_bytes());
        }
    }

    /// Says whether it took it.
    pub(super) fn insert_if_absent(&self, key: &Key, held: Held<H>) -> bool {
        let (own, other) = self.of(&held);
        let entry = Arc::clone(&held.entry);
        let keep = |_: &Key, _: &mut Held<H>| EntryAction::Retain(());
        let EntryResult::Vacant(place) = own.entry(key, Some(Duration::ZERO), keep) else {
            return false;
        };
        let is_taken = place.insert(held).is_ok();
        if other.is_some_and(|other| other.contains_key(key.as_bytes())) {
            own.remove_if(key.as_bytes(), |held| Arc::ptr_eq(&held.entry, &entry));
            return false;
        }
        is_taken
    }

    /// Puts one in another's place, if that is still held.
    pub(super) fn replace(&self, key: &Key, old: &Arc<Entry<H>>, held: Held<H>) -> Option<()> {
        let (own, other) = self.of(&held);
        if let Some(other) = other
            && other.remove_if(key.as_bytes(), |held| Arc::ptr_eq(&held.entry, old)).is_some()
        {
            own.insert(key.clone(), held);
            return Some(());
        }
        let swap = |_: &Key, now: &mut Held<H>| match Arc::ptr_eq(&now.entry, old) {
            true => EntryAction::ReplaceWithGuard,
            false => EntryAction::Retain(()),
        };
        match own.entry(key, Some(Duration::ZERO), swap) {
            EntryResult::Replaced(place, _) => place.insert(held).ok(),
            EntryResult::Vacant(_)
            | EntryResult::Retained(())
            | EntryResult::Removed(..)
            | EntryResult::Timeout => None,
        }
    }

    pub(super) fn remove(&self, key: &[u8]) {
        self.all().for_each(|table| {
            table.remove(key);
        });
    }

    pub(super) fn remove_if(&self, key: &[u8], is_it: impl Fn(&Held<H>) -> bool) -> Option<()> {
        self.all().find_map(|table| table.remove_if(key, &is_it)).map(|_| ())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Held<H>)> + Send + '_ {
        self.main.iter().chain(self.aside.iter().flat_map(|aside| aside.iter()))
    }

    pub(super) fn len(&self) -> usize {
        self.all().map(Table::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn weight(&self) -> u64 {
        self.all().map(Table::weight).sum()
    }

    /// Whether what comes next may push something out.
    pub(super) fn is_nearly_full(&self) -> bool {
        let (share, of) = NEARLY_FULL;
        self.all().any(|table| table.weight() >= table.capacity() / of * share)
    }

    fn all(&self) -> impl Iterator<Item = &Table<H>> {
        std::iter::once(&self.main).chain(&self.aside)
    }

    /// The table that an entry lies in, and the one in which it must not.
    fn of(&self, held: &Held<H>) -> (&Table<H>, Option<&Table<H>>) {
        match (held.entry.head().shelf(), &self.aside) {
            (Shelf::Aside, Some(aside)) => (aside, Some(&self.main)),
            (Shelf::Main | Shelf::Nowhere | Shelf::Aside, aside) => (&self.main, aside.as_ref()),
        }
    }
}

// As many as leave room for the heaviest admitted entry in the hot share of one.
fn shards(capacity: usize, entry_bytes_max: usize) -> usize {
    let mut shards = SHARDS_MAX;
    while shards > 1 && policy::hot_bytes(capacity / shards) < entry_bytes_max {
        shards /= 2;
    }
    shards
}
