//! Where each entry lies, in memory: 24 bytes an entry and its place in a table.
//!
//! Keyed by a keyed hash of the key; the key itself is compared when the record is read. Two keys
//! with one hash displace each other, which is a miss.

use std::collections::HashMap;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;

use crate::clock::Timestamp;

/// Tables; the bound on contention for one, and on what a growing one holds twice.
const SHARDS: usize = 64;

/// Uses that are counted; more say nothing more.
const USES_MAX: u32 = 3;

/// What a slot can tell of a record's length; segments are far shorter.
const LEN_MASK: u32 = (1 << 28) - 1;
const LARGE_BIT: u32 = 1 << 28;
const USES_SHIFT: u32 = 29;
/// Nobody finds it any more; its writer has yet to take it out.
const HIDDEN_BIT: u32 = 1 << 31;

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) at: u32,
}

/// Whether a record has its body within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Small,
    /// The body lies in a file of its own.
    Large,
}

/// What the index knows of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) hash: u64,
    pub(super) place: Place,
    keep_until_secs: u32,
    // Hidden or not, two bits of uses, one of form, 28 of length.
    packed: u32,
}

impl Slot {
    pub(super) fn new(
        hash: u64,
        place: Place,
        len: u32,
        form: Form,
        keep_until: Timestamp,
    ) -> Self {
        let form_bit = match form {
            Form::Small => 0,
            Form::Large => LARGE_BIT,
        };
        Self { hash, place, keep_until_secs: secs(keep_until), packed: (len & LEN_MASK) | form_bit }
    }

    /// The bytes of its record.
    pub(super) fn len(&self) -> u32 {
        self.packed & LEN_MASK
    }

    pub(super) fn form(&self) -> Form {
        if self.packed & LARGE_BIT == 0 { Form::Small } else { Form::Large }
    }

    fn uses(&self) -> u32 {
        self.packed >> USES_SHIFT & USES_MAX
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.packed & HIDDEN_BIT != 0
    }

    pub(super) fn is_used(&self) -> bool {
        self.uses() > 0
    }

    fn note_use(&mut self) {
        if self.uses() < USES_MAX {
            self.packed += 1 << USES_SHIFT;
        }
    }

    /// Whether its time is over for certain; its record knows to the millisecond.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.keep_until_secs != u32::MAX
            && u64::from(self.keep_until_secs) * 1_000 <= now.as_millis()
    }
}

// Rounded up; what is too far is forever.
fn secs(moment: Timestamp) -> u32 {
    u32::try_from(moment.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// All entries' places.
pub(super) struct Index {
    shards: Box<[Mutex<HashTable<Slot>>]>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(HashTable::new())).collect() }
    }

    /// Makes room for so many more at once.
    pub(super) fn reserve(&self, entries: usize) {
        for shard in &self.shards {
            shard.lock().reserve(entries / SHARDS, |slot| slot.hash);
        }
    }

    /// Where the entry lies; that counts as a use.
    pub(super) fn find(&self, hash: u64) -> Option<Slot> {
        let mut shard = self.shard(hash).lock();
        let slot = shard.find_mut(hash, |slot| slot.hash == hash && !slot.is_hidden())?;
        slot.note_use();
        Some(*slot)
    }

    /// As [`Index::find`], but it does not count, and finds what is hidden as well.
    pub(super) fn peek(&self, hash: u64) -> Option<Slot> {
        self.shard(hash).lock().find(hash, |slot| slot.hash == hash).copied()
    }

    /// Puts a slot in place of any with the same hash, which it returns.
    pub(super) fn insert(&self, slot: Slot) -> Option<Slot> {
        let mut shard = self.shard(slot.hash).lock();
        match shard.entry(slot.hash, |held| held.hash == slot.hash, |held| held.hash) {
            Entry::Occupied(mut held) => Some(std::mem::replace(held.get_mut(), slot)),
            Entry::Vacant(vacant) => {
                vacant.insert(slot);
                None
            }
        }
    }

    pub(super) fn remove(&self, hash: u64) -> Option<Slot> {
        let mut shard = self.shard(hash).lock();
        Some(shard.find_entry(hash, |slot| slot.hash == hash).ok()?.remove().0)
    }

    /// Lets nobody find the entry any more, and says whether somebody could have.
    pub(super) fn hide(&self, hash: u64) -> Option<()> {
        self.hide_if(hash, |_| true)
    }

    /// As [`Index::hide`], if it still lies at this place.
    pub(super) fn hide_this(&self, hash: u64, place: Place) -> Option<()> {
        self.hide_if(hash, |slot| slot.place == place)
    }

    fn hide_if(&self, hash: u64, rule: impl Fn(&Slot) -> bool) -> Option<()> {
        let mut shard = self.shard(hash).lock();
        let is_it = |slot: &Slot| slot.hash == hash && !slot.is_hidden() && rule(slot);
        shard.find_mut(hash, is_it)?.packed |= HIDDEN_BIT;
        Some(())
    }

    /// Tells that a record lies elsewhere now, if it was still at the old place. Its uses are
    /// forgotten: it must earn the next carrying anew.
    pub(super) fn relocate(&self, hash: u64, from: Place, to: Place) -> Option<()> {
        let mut shard = self.shard(hash).lock();
        let is_it = |slot: &Slot| slot.hash == hash && slot.place == from && !slot.is_hidden();
        let slot = shard.find_mut(hash, is_it)?;
        slot.place = to;
        slot.packed &= LEN_MASK | LARGE_BIT;
        Some(())
    }

    /// Takes out what the rule says, one table at a time.
    pub(super) fn take_out(&self, rule: impl Fn(&Slot) -> bool) -> Vec<Slot> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            taken.extend(shard.lock().extract_if(|slot| rule(slot)));
        }
        taken
    }

    /// The entries of a segment that can be found.
    pub(super) fn of_segment(&self, segment: u32) -> Vec<Slot> {
        let mut all = Vec::new();
        let rule = |slot: &&Slot| slot.place.segment == segment && !slot.is_hidden();
        for shard in &self.shards {
            all.extend(shard.lock().iter().filter(rule));
        }
        all
    }

    /// A few entries of each of these segments that can be found, in one walk.
    pub(super) fn samples(
        &self,
        segments: impl Iterator<Item = u32>,
        count: usize,
    ) -> HashMap<u32, Vec<Slot>> {
        let mut samples: HashMap<_, Vec<_>> = segments.map(|one| (one, Vec::new())).collect();
        for shard in &self.shards {
            for slot in shard.lock().iter().filter(|slot| !slot.is_hidden()) {
                if let Some(some) = samples.get_mut(&slot.place.segment)
                    && some.len() < count
                {
                    some.push(*slot);
                }
            }
        }
        samples
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let tables = self.shards.iter().map(|shard| shard.lock().allocation_size());
        tables.sum::<usize>() + SHARDS * size_of::<Mutex<HashTable<Slot>>>()
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<Slot>> {
        // The tables use the lowest and the highest bits.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn slot(hash: u64, at: u32) -> Slot {
        Slot::new(hash, Place { segment: 1, at }, 77, Form::Large, Timestamp::FAR)
    }

    #[test]
    fn a_slot_keeps_its_length_its_form_and_counts_few_uses() {
        let index = Index::new();
        index.insert(slot(5, 0));
        for _ in 0..9 {
            let found = index.find(5).unwrap();
            assert_eq!((found.len(), found.form()), (77, Form::Large));
        }
        assert_eq!(index.peek(5).unwrap().uses(), USES_MAX);
        index.relocate(5, Place { segment: 1, at: 0 }, Place { segment: 2, at: 8 }).unwrap();
        assert!(!index.peek(5).unwrap().is_used());
        assert_eq!(index.hide_this(5, Place { segment: 1, at: 0 }), None);
        assert_eq!(index.hide_this(5, Place { segment: 2, at: 8 }), Some(()));
        assert_eq!(index.hide(5), None);
        assert!(index.find(5).is_none());
        assert_eq!(index.remove(5).unwrap().len(), 77);
    }

    #[test]
    fn an_entry_costs_below_a_hundred_bytes_at_every_fill() {
        let index = Index::new();
        let mut worst = 0.0_f64;
        let mut hash = 1_u64;
        for count in 1..=1_000_000_u64 {
            hash = hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            index.insert(slot(hash ^ hash >> 31, 0));
            if count >= 100_000 && count % 10_000 == 0 {
                worst = worst.max(index.bytes() as f64 / index.len() as f64);
            }
        }
        assert_eq!(size_of::<Slot>(), 24);
        println!("{worst:.1} bytes an entry at worst");
        assert!(worst < 62.0, "{worst}");
    }
}
