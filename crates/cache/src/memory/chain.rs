//! Slots, and chains of them in an order: the oldest first.
//!
//! A slot is one line: the key, what lies under it, and what the policy knows of it. A hit reads it and
//! writes nothing into it.

use super::wanted::Wanted;
use crate::entry::Key;

/// The number of no slot.
pub(super) const NONE: u32 = u32::MAX;

/// In which chain a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// None: it is empty.
    Free,
    /// What has just come in.
    Young,
    /// What was wanted more than what it drove out.
    Main,
    /// What goes if that is enough for what is wanted more.
    Leaving,
}

#[repr(align(64))]
pub(super) struct Slot<T> {
    pub(super) key: Key,
    pub(super) value: Option<T>,
    pub(super) hash: u32,
    pub(super) weight: u32,
    pub(super) wanted: Wanted,
    pub(super) part: Part,
    older: u32,
    newer: u32,
}

impl<T> Slot<T> {
    pub(super) fn new(key: Key, value: T, hash: u32, weight: u32, wanted: Wanted) -> Self {
        let value = Some(value);
        Self { key, value, hash, weight, wanted, part: Part::Free, older: NONE, newer: NONE }
    }
}

/// The slots of one part. A slot is in one chain at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    oldest: u32,
    newest: u32,
    len: usize,
    weight: u64,
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self { oldest: NONE, newest: NONE, len: 0, weight: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// The one that is in it longest.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Puts a slot at its end, which is in no chain.
    pub(super) fn add<T>(&mut self, slots: &mut [Slot<T>], number: u32) {
        let slot = &mut slots[number as usize];
        (slot.older, slot.newer) = (self.newest, NONE);
        self.len += 1;
        self.weight += u64::from(slot.weight);
        match self.newest {
            NONE => self.oldest = number,
            newest => slots[newest as usize].newer = number,
        }
        self.newest = number;
    }

    /// Takes a slot out that is in it.
    pub(super) fn take<T>(&mut self, slots: &mut [Slot<T>], number: u32) {
        let slot = &slots[number as usize];
        let (older, newer) = (slot.older, slot.newer);
        self.len -= 1;
        self.weight -= u64::from(slot.weight);
        match older {
            NONE => self.oldest = newer,
            older => slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => slots[newer as usize].older = older,
        }
    }
}
