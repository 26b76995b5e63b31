//! The table of one shard: what is held under which key, and what goes for want of room. Pure: no lock,
//! no clock.
//!
//! **The policy** is W-TinyLFU's, with a clock in place of its lists. What comes in is *young*, in the
//! order of coming: so what was just inserted is there. The oldest of the young, when there are too many,
//! goes on into *main* only if it was asked for more often than what must go for it: the least wanted of
//! the few that have lain in main longest since they were looked at. How often a key was
//! asked for while it was not held, a [`Sketch`] knows; while it is, the entry's own uses. All of that is
//! halved from age to age, so that what was wanted once does not stay for ever.

use std::ops::Range;

use super::chain::{Chain, Part, Slot};
use super::index::{Index, SLOTS_MAX};
use super::sketch::Sketch;
use super::wanted::Wanted;
use crate::entry::Key;

/// One in so many bytes is of the young.
const YOUNG_SHARE: u64 = 20;
/// Entries of main that are looked at to find one that goes.
const LOOKS: usize = 8;
/// Uses for each entry that make an age.
const AGE_USES: usize = 4;
/// The share by which slots grow: by doubling half of them would be empty.
const GROWTH_SHARE: usize = 8;

/// What counts its own uses.
pub(super) trait Counted {
    fn uses(&self) -> u32;
}

pub(super) struct Table<T> {
    index: Index,
    slots: Vec<Slot<T>>,
    free: Chain,
    young: Chain,
    main: Chain,
    /// Empty between two calls.
    leaving: Chain,
    sketch: Sketch,
    age: u8,
    /// Uses that were counted in this age.
    uses: usize,
    capacity: u64,
}

/// What is no more in a table. It is freed where no lock is held.
#[must_use]
pub(super) struct Dropped<T> {
    /// What had the same key.
    pub(super) replaced: Option<T>,
    /// What went for want of room.
    pub(super) evicted: Vec<(Key, T)>,
}

impl<T: Counted> Table<T> {
    pub(super) fn new(capacity: u64) -> Self {
        let index = Index::new();
        Self {
            sketch: Sketch::of(index.room()),
            index,
            slots: Vec::new(),
            free: Chain::new(),
            young: Chain::new(),
            main: Chain::new(),
            leaving: Chain::new(),
            age: 0,
            uses: 0,
            capacity,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// What all weigh.
    pub(super) fn weight(&self) -> u64 {
        self.young.weight() + self.main.weight() + self.leaving.weight()
    }

    /// What lies under this key.
    #[inline]
    pub(super) fn find(&self, hash: u32, key: &[u8]) -> Option<&T> {
        let mut found = None;
        self.index.find(hash, |number| match self.slots.get(number as usize) {
            Some(slot) if slot.key.is(key) => {
                found = slot.value.as_ref();
                true
            }
            Some(_) | None => false,
        });
        found
    }

    /// How many slots a walk goes through, empty ones included.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The first in these slots, for a walk: its slot, its key, and what lies there.
    pub(super) fn first_in(&self, slots: Range<usize>) -> Option<(usize, &Key, &T)> {
        let (begin, end) = (slots.start, slots.end.min(self.slots.len()));
        let mut these = (begin..).zip(self.slots.get(begin..end)?);
        these.find_map(|(number, slot)| Some((number, &slot.key, slot.value.as_ref()?)))
    }

    /// Takes a value in, in place of any under the same key. What is heavier than the table is dropped
    /// itself.
    pub(super) fn insert(&mut self, hash: u32, key: &Key, value: T, weight: u32) -> Dropped<T> {
        let replaced = self.remove(hash, key.as_bytes());
        let mut dropped = Dropped { replaced, evicted: Vec::new() };
        if u64::from(weight) > self.capacity || self.len() >= SLOTS_MAX {
            dropped.evicted.push((key.clone(), value));
            return dropped;
        }
        self.make_room(u64::from(weight), &mut dropped.evicted);
        let frequency = self.sketch.frequency(hash).saturating_add(1);
        let wanted = Wanted::new(frequency, self.age, value.uses());
        let number = self.fill(Slot::new(key.clone(), value, hash, weight, wanted));
        self.slots[number as usize].part = Part::Young;
        self.young.add(&mut self.slots, number);
        self.index.add(hash, number);
        if self.sketch.keys() < self.index.room() {
            self.sketch.double();
        }
        self.count(1);
        dropped
    }

    /// Takes out what lies under this key.
    pub(super) fn remove(&mut self, hash: u32, key: &[u8]) -> Option<T> {
        self.remove_if(hash, key, |_| true)
    }

    /// As [`Table::remove`], if it is the right one.
    pub(super) fn remove_if(
        &mut self,
        hash: u32,
        key: &[u8],
        is_it: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        let slots = &self.slots;
        let number = self.index.find(hash, |number| slots[number as usize].key.is(key))?;
        if !slots[number as usize].value.as_ref().is_some_and(is_it) {
            return None;
        }
        let (_, value) = self.empty(number)?;
        Some(value)
    }

    /// Until so much more fits: first the young of whom there are too many, then the least wanted of main.
    fn make_room(&mut self, weight: u64, evicted: &mut Vec<(Key, T)>) {
        let young_max = self.capacity / YOUNG_SHARE;
        while self.young.weight() + weight > young_max
            && let Some(oldest) = self.young.oldest()
        {
            self.grow_up(oldest, weight, evicted);
        }
        while self.weight() + weight > self.capacity
            && let Some(least) = self.least_wanted(u8::MAX)
        {
            evicted.extend(self.empty(least));
        }
    }

    /// Into main, if what is to go for it is less wanted; or out.
    fn grow_up(&mut self, number: u32, coming: u64, evicted: &mut Vec<(Key, T)>) {
        let (frequency, weight) =
            (self.look(number), u64::from(self.slots[number as usize].weight));
        let missing = (self.weight() + coming).saturating_sub(self.capacity);
        if self.choose(missing.min(weight), frequency) {
            while let Some(leaving) = self.leaving.oldest() {
                evicted.extend(self.empty(leaving));
            }
            self.young.take(&mut self.slots, number);
            self.put_in_main(number);
        } else {
            while let Some(staying) = self.leaving.oldest() {
                self.leaving.take(&mut self.slots, staying);
                self.put_in_main(staying);
            }
            evicted.extend(self.empty(number));
        }
    }

    /// Chooses entries of main that weigh so much, all of them less wanted than that; says whether there
    /// are.
    fn choose(&mut self, weight: u64, below: u8) -> bool {
        while self.leaving.weight() < weight {
            let Some(number) = self.least_wanted(below) else { return false };
            self.main.take(&mut self.slots, number);
            self.slots[number as usize].part = Part::Leaving;
            self.leaving.add(&mut self.slots, number);
        }
        true
    }

    fn put_in_main(&mut self, number: u32) {
        self.slots[number as usize].part = Part::Main;
        self.main.add(&mut self.slots, number);
    }

    /// The least wanted of the next few of main, if it is less wanted than that.
    fn least_wanted(&mut self, below: u8) -> Option<u32> {
        let (mut least, mut bound) = (None, below);
        for _ in 0..LOOKS.min(self.main.len()) {
            let number = self.main.oldest()?;
            self.main.take(&mut self.slots, number);
            self.main.add(&mut self.slots, number);
            // What is known of it already may be enough to leave the entry alone.
            if self.slots[number as usize].wanted.at_least(self.age) >= bound {
                continue;
            }
            let frequency = self.look(number);
            if frequency < bound {
                (least, bound) = (Some(number), frequency);
            }
            if bound == 0 {
                break;
            }
        }
        least
    }

    /// How often it was asked for, caught up.
    fn look(&mut self, number: u32) -> u8 {
        let slot = &mut self.slots[number as usize];
        let uses = slot.value.as_ref().map_or(0, Counted::uses);
        let more = slot.wanted.catch_up(uses, self.age);
        let frequency = slot.wanted.at_least(self.age);
        self.count(usize::from(more));
        frequency
    }

    fn count(&mut self, uses: usize) {
        self.uses += uses;
        if self.uses >= AGE_USES * self.len().max(1) {
            self.uses = 0;
            self.age = self.age.wrapping_add(1);
            self.sketch.halve();
        }
    }

    /// Puts it into a slot, which is in no chain yet.
    fn fill(&mut self, slot: Slot<T>) -> u32 {
        if let Some(number) = self.free.oldest() {
            self.free.take(&mut self.slots, number);
            self.slots[number as usize] = slot;
            return number;
        }
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact((self.slots.len() / GROWTH_SHARE).max(4));
        }
        self.slots.push(slot);
        // There are no more than can be numbered.
        (self.slots.len() - 1) as u32
    }

    /// Takes out what lies in a slot. How often it was asked for is remembered.
    fn empty(&mut self, number: u32) -> Option<(Key, T)> {
        let frequency = self.look(number);
        let slot = &mut self.slots[number as usize];
        let (hash, part) = (slot.hash, std::mem::replace(&mut slot.part, Part::Free));
        let (key, value) = (std::mem::take(&mut slot.key), slot.value.take()?);
        self.sketch.raise(hash, frequency);
        self.index.take(hash, number);
        match part {
            Part::Free => {}
            Part::Young => self.young.take(&mut self.slots, number),
            Part::Main => self.main.take(&mut self.slots, number),
            Part::Leaving => self.leaving.take(&mut self.slots, number),
        }
        self.free.add(&mut self.slots, number);
        Some((key, value))
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
