//! The shelves of the memory tier: one for all entries, and one aside with a bound of its own.
//!
//! A key lies on one shelf at a time: who writes locks its places on both, the main one's first.

use std::sync::Arc;

use super::hashing::{Hashed, Hasher};
use super::shards::{Found, Lying, Shards};
use super::table::Table;
use crate::entry::{Entry, Head, Key, Shelf};
use crate::options::Options;
use crate::sync::RwLockWriteGuard;

/// The share of a shelf from which on it is nearly full: shards fill unevenly.
const NEARLY_FULL: (u64, u64) = (7, 8);

/// An entry with its weight at the moment it came in, because sums need it stable.
pub(super) struct Held<H> {
    pub(super) entry: Arc<Entry<H>>,
    pub(super) weight: u32,
}

/// What was driven out. It is freed, and told of, where no lock is held.
pub(super) type Evicted<H> = Vec<(Key, Lying<H>)>;

/// All shelves.
pub(super) struct Shelves<H> {
    hasher: Hasher,
    main: Shards<H>,
    aside: Option<Shards<H>>,
}

/// The places of one key, locked.
struct Places<'a, H> {
    main: RwLockWriteGuard<'a, Table<Lying<H>>>,
    aside: Option<RwLockWriteGuard<'a, Table<Lying<H>>>>,
}

impl<H: Head> Shelves<H> {
    pub(super) fn new(options: &Options, entry_bytes_max: usize) -> Self {
        let aside = options.aside_bytes_max;
        let aside = aside.map(|bytes| Shards::new(bytes, entry_bytes_max.min(bytes / 10 * 9)));
        Self {
            hasher: Hasher::new(options.hashing),
            main: Shards::new(options.memory_bytes_max, entry_bytes_max),
            aside,
        }
    }

    /// The heaviest entry that can lie on this shelf.
    pub(super) fn entry_bytes_max(&self, shelf: Shelf) -> usize {
        match (shelf, &self.aside) {
            (Shelf::Aside, Some(aside)) => aside.entry_bytes_max(),
            (Shelf::Main | Shelf::Nowhere | Shelf::Aside, _) => self.main.entry_bytes_max(),
        }
    }

    /// What a key hashes to.
    pub(super) fn hash(&self, key: &[u8]) -> Hashed {
        self.hasher.hash(key)
    }

    /// What lies under the key, if `judge` wants it. That holds up who writes, and takes no lock itself.
    #[inline]
    pub(super) fn find<J>(
        &self,
        key: &[u8],
        judge: impl Fn(&Entry<H>) -> Option<J>,
    ) -> Option<(Arc<Entry<H>>, J)> {
        let hashed = self.hasher.hash(key);
        match (self.main.find(hashed, key, &judge), &self.aside) {
            (Found::Entry(entry, judgement), _) => Some((entry, judgement)),
            (Found::Nothing, Some(aside)) => match aside.find(hashed, key, &judge) {
                Found::Entry(entry, judgement) => Some((entry, judgement)),
                Found::Nothing | Found::LeftThere => None,
            },
            (Found::Nothing | Found::LeftThere, _) => None,
        }
    }

    pub(super) fn insert(&self, key: &Key, held: Held<H>) -> Evicted<H> {
        let hashed = self.hasher.hash(key.as_bytes());
        let mut places = self.lock(hashed);
        let swapped = places.swap(hashed, key, held);
        drop(places);
        swapped.evicted
    }

    /// Takes it if there is none under its key.
    pub(super) fn insert_if_absent(
        &self,
        hashed: Hashed,
        key: &Key,
        held: Held<H>,
    ) -> Option<Evicted<H>> {
        let mut places = self.lock(hashed);
        if places.find(hashed, key.as_bytes()).is_some() {
            return None;
        }
        let swapped = places.swap(hashed, key, held);
        drop(places);
        Some(swapped.evicted)
    }

    /// Puts one in another's place, if that is still held.
    pub(super) fn replace(
        &self,
        key: &Key,
        old: &Arc<Entry<H>>,
        held: Held<H>,
    ) -> Option<Evicted<H>> {
        let hashed = self.hasher.hash(key.as_bytes());
        let mut places = self.lock(hashed);
        if !places.find(hashed, key.as_bytes()).is_some_and(|found| Arc::ptr_eq(found, old)) {
            return None;
        }
        let swapped = places.swap(hashed, key, held);
        drop(places);
        Some(swapped.evicted)
    }

    pub(super) fn remove_if(
        &self,
        key: &[u8],
        is_it: impl Fn(&Entry<H>) -> bool,
    ) -> Option<Arc<Entry<H>>> {
        let hashed = self.hasher.hash(key);
        let mut places = self.lock(hashed);
        let (place, is_it) = (hashed.place(), |lying: &Lying<H>| is_it(lying));
        let removed = places.main.remove_if(place, key, is_it);
        removed.or_else(|| places.aside.as_mut()?.remove_if(place, key, is_it))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Arc<Entry<H>>)> + Send + '_ {
        self.main.iter().chain(self.aside.iter().flat_map(Shards::iter))
    }

    pub(super) fn len(&self) -> usize {
        self.all().map(Shards::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn weight(&self) -> u64 {
        self.all().map(Shards::weight).sum()
    }

    /// Whether what comes next may push something out.
    pub(super) fn is_nearly_full(&self) -> bool {
        let (share, of) = NEARLY_FULL;
        self.all().any(|shards| shards.weight() >= shards.bytes_max() / of * share)
    }

    fn all(&self) -> impl Iterator<Item = &Shards<H>> {
        std::iter::once(&self.main).chain(&self.aside)
    }

    fn lock(&self, hashed: Hashed) -> Places<'_, H> {
        let main = self.main.lock(hashed);
        Places { main, aside: self.aside.as_ref().map(|aside| aside.lock(hashed)) }
    }
}

/// What went when an entry came in. It is freed where no lock is held.
#[must_use]
struct Swapped<H> {
    evicted: Evicted<H>,
    _replaced: [Option<Lying<H>>; 2],
}

impl<H: Head> Places<'_, H> {
    fn find(&self, hashed: Hashed, key: &[u8]) -> Option<&Lying<H>> {
        let main = self.main.find(hashed.place(), key);
        main.or_else(|| self.aside.as_ref()?.find(hashed.place(), key))
    }

    /// Puts an entry on its shelf, in place of any on either.
    fn swap(&mut self, hashed: Hashed, key: &Key, held: Held<H>) -> Swapped<H> {
        let Held { entry, weight } = held;
        let place = hashed.place();
        let (own, other) = match (entry.head().shelf(), &mut self.aside) {
            (Shelf::Aside, Some(aside)) => (aside, Some(&mut self.main)),
            (Shelf::Main | Shelf::Nowhere | Shelf::Aside, aside) => {
                (&mut self.main, aside.as_mut())
            }
        };
        let elsewhere = other.and_then(|other| other.remove(place, key.as_bytes()));
        let dropped = own.insert(place, key, entry, weight);
        Swapped { evicted: dropped.evicted, _replaced: [dropped.replaced, elsewhere] }
    }
}
