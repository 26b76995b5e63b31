//! What is fetched comes into the cache: into memory when it is whole, and below behind it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::below::{Into, Load, end, store_behind};
use super::{Mark, Place, Tiers};
use crate::body::{Body, End};
use crate::clock::Timestamp;
use crate::entry::{Entry, Head, Key};
use crate::flight::Flight;
use crate::lease::{Lease, Word};
use crate::purge::Epoch;

/// The lease of a flight that is filled: whoever ends it takes it.
type HeldLease = Arc<Mutex<Option<Box<dyn Lease>>>>;

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// Ends a flight well, at head time: all who wait, and who come while the body arrives, read
    /// it. When it is whole it is kept, in memory at once and below behind it; what memory does not
    /// take goes below while it arrives. Broken, it is not kept.
    pub fn fill(
        &self,
        flight: Flight<H, F>,
        head: H,
        body: Body,
        keep_until: Timestamp,
    ) -> Arc<Entry<H>> {
        let place = flight.key().clone().into();
        self.fill_under(flight, place, head, body, keep_until)
    }

    /// As [`Tiers::fill`], but kept under another key than the one that was joined: a variant's.
    pub fn fill_under(
        &self,
        flight: Flight<H, F>,
        place: Place<H>,
        head: H,
        body: Body,
        keep_until: Timestamp,
    ) -> Arc<Entry<H>> {
        let mark = self.mark(place.key.as_bytes());
        let entry = Arc::new(Entry::new(head, body, keep_until).since(flight.epoch()));
        let lease = self.lease_of_filled(&flight, entry.body());
        let landing = flight.fill(Arc::clone(&entry));
        self.spill(&place, &entry, mark, &lease);
        let (cache, kept) = (self.clone(), Arc::clone(&entry));
        // The hook holds the entry, which holds the body, which holds the hook: the writer's end,
        // which always comes, unties it. Only when the entry is in memory does the flight close.
        entry.body().on_end(Box::new(move |end| {
            let lease = lease.lock().take();
            let is_purged = cache.is_gone(&kept, place.key.as_bytes());
            if *end != End::Whole || landing.is_spoiled() || is_purged {
                return give_back(lease);
            }
            cache.parts.memory.insert(&place.key, &kept);
            // Removed in between? Then either we see it now, or the remover saw our entry.
            if landing.is_spoiled() {
                cache.parts.memory.remove_this(place.key.as_bytes(), &kept);
                return give_back(lease);
            }
            cache.store(place, &kept, mark, lease, Into::All);
        }));
        entry
    }

    // Other nodes need not wait for what they cannot share.
    fn lease_of_filled(&self, flight: &Flight<H, F>, body: &Body) -> HeldLease {
        let lease = flight.take_lease();
        let shared_bytes_max = self.parts.below.shared_bytes_max();
        if body.len_known().is_some_and(|len| len > shared_bytes_max) {
            end(lease, Word::Local);
            return HeldLease::default();
        }
        Arc::new(Mutex::new(lease))
    }

    // What memory does not keep goes below from its first byte on, while that is still held.
    fn spill(&self, place: &Place<H>, entry: &Arc<Entry<H>>, mark: Mark, lease: &HeldLease) {
        let (cache, lease) = (self.clone(), Arc::clone(lease));
        let (key, index) = (place.key.clone(), place.index.clone());
        let kept = Arc::downgrade(entry);
        entry.body().on_outgrown(Box::new(move || {
            end(lease.lock().take(), Word::Local);
            let Some(entry) = kept.upgrade() else { return };
            cache.store(Place { key, index }, &entry, mark, None, Into::All);
        }));
    }

    /// Keeps a whole entry without a flight, in memory at once and below behind it.
    pub fn insert(&self, key: &Key, entry: &Arc<Entry<H>>) {
        let mark = self.mark(key.as_bytes());
        self.insert_unless_removed(key.clone().into(), entry, key.as_bytes(), mark, None);
    }

    /// How often the key was removed until now, and which purges are known. Taken before a fetch
    /// without a flight.
    pub fn mark(&self, key: &[u8]) -> Mark {
        self.parts.removals.mark(key)
    }

    /// As [`Tiers::insert`], unless `marked` was removed since `mark` was taken; says whether the
    /// entry is kept. A removal while this runs wins. A lease is ended when the entry is stored.
    pub fn insert_unless_removed(
        &self,
        place: Place<H>,
        entry: &Arc<Entry<H>>,
        marked: &[u8],
        mark: Mark,
        lease: Option<Box<dyn Lease>>,
    ) -> bool {
        let own = self.mark(place.key.as_bytes());
        if !self.hold_unless_removed(&place.key, entry, marked, mark) {
            give_back(lease);
            return false;
        }
        self.store(place, entry, own, lease, Into::All);
        true
    }

    /// As [`Tiers::insert_unless_removed`], when its body is whole: who reads that to its end finds
    /// the entry.
    pub fn insert_when_whole(
        &self,
        place: Place<H>,
        entry: &Arc<Entry<H>>,
        marked: Vec<u8>,
        mark: Mark,
    ) {
        let (cache, kept) = (self.clone(), Arc::clone(entry));
        // As with a fill, the writer's end unties what holds itself here.
        entry.body().on_end(Box::new(move |end| {
            if *end == End::Whole {
                cache.insert_unless_removed(place, &kept, &marked, mark, None);
            }
        }));
    }

    /// As [`Tiers::insert_unless_removed`], in memory alone: for the index of what arrives, which
    /// goes below with it.
    pub fn hold_unless_removed(
        &self,
        key: &Key,
        entry: &Arc<Entry<H>>,
        marked: &[u8],
        mark: Mark,
    ) -> bool {
        let removals = &self.parts.removals;
        if removals.is_since(mark, marked) || self.is_gone(entry, key.as_bytes()) {
            return false;
        }
        self.parts.memory.insert(key, entry);
        if removals.is_since(mark, marked) {
            self.parts.memory.remove_this(key.as_bytes(), entry);
            return false;
        }
        true
    }

    /// Ends a flight well with an entry that is kept already: all who wait get it.
    pub fn hand_over(&self, flight: Flight<H, F>, entry: &Arc<Entry<H>>) {
        flight.tell_cluster(Word::Local);
        drop(flight.withdraw(Arc::clone(entry)));
    }

    /// Gives an entry a new head over the same body, if it is still the one that memory holds, and
    /// no purge has killed it. `validated` is what was known of
    /// purges when its validation began. A lease is ended when the
    /// entry is stored, or given back if it is not.
    pub fn replace_head(
        &self,
        key: &Key,
        old: &Arc<Entry<H>>,
        head: H,
        keep_until: Timestamp,
        validated: Epoch,
        flight: Option<&Flight<H, F>>,
    ) -> Option<Arc<Entry<H>>> {
        // What is gone is never used again, though its origin may say that it is good.
        if self.is_gone(old, key.as_bytes()) {
            return None;
        }
        let mark = self.parts.removals.mark(key.as_bytes());
        let new = Arc::new(Entry::new(head, old.body().clone(), keep_until).since(validated));
        new.inherit_uses(old);
        self.parts.memory.replace(key, old, &new)?;
        let lease = flight.and_then(Flight::take_lease);
        self.store(key.clone().into(), &new, mark, lease, Into::All);
        Some(new)
    }

    pub(super) fn store(
        &self,
        place: Place<H>,
        entry: &Arc<Entry<H>>,
        mark: Mark,
        lease: Option<Box<dyn Lease>>,
        into: Into,
    ) {
        let Place { key, index } = place;
        let load = Load { key, entry: Arc::clone(entry), index, mark, lease };
        store_behind(&self.parts.below, &self.parts.removals, load, into);
    }
}

// Nothing came of it; another node may try.
fn give_back(lease: Option<Box<dyn Lease>>) {
    drop(lease);
}
