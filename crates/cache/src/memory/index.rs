//! Where a key lies: open addressing, whose cells hold a hash and the number of a slot.
//!
//! It knows no keys: whoever asks says whether a slot is the right one. A cell is eight bytes, so a
//! search mostly reads one line.

/// A cell without a slot.
const EMPTY: u64 = 0;
const CELLS_MIN: usize = 16;
/// The share of cells that may be taken: longer, and searches grow long.
const TAKEN_MAX: (usize, usize) = (3, 4);

/// As many slots as can be numbered.
pub(super) const SLOTS_MAX: usize = u32::MAX as usize - 1;

pub(super) struct Index {
    cells: Vec<u64>,
    taken: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { cells: vec![EMPTY; CELLS_MIN], taken: 0 }
    }

    /// How many slots are found by it.
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    /// How many can be, before it doubles.
    pub(super) fn room(&self) -> usize {
        self.cells.len() / TAKEN_MAX.1 * TAKEN_MAX.0
    }

    /// The slot with this hash that is the right one.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = hash as usize;
        loop {
            let cell = *self.cells.get(at & (self.cells.len() - 1))?;
            if cell == EMPTY {
                return None;
            }
            if hash_of(cell) == hash && is_it(slot_of(cell)) {
                return Some(slot_of(cell));
            }
            at += 1;
        }
    }

    /// Adds a slot that is not in it.
    pub(super) fn add(&mut self, hash: u32, slot: u32) {
        if self.taken == self.room() {
            self.double();
        }
        self.place(cell(hash, slot));
        self.taken += 1;
    }

    /// Takes a slot out that is in it.
    pub(super) fn take(&mut self, hash: u32, slot: u32) {
        let (mask, gone) = (self.cells.len() - 1, cell(hash, slot));
        let mut hole = hash as usize & mask;
        while self.cells[hole] != gone {
            if self.cells[hole] == EMPTY {
                return;
            }
            hole = (hole + 1) & mask;
        }
        self.taken -= 1;
        // What follows moves up, unless it would then lie before its home.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell == EMPTY {
                break;
            }
            let (from_home, from_hole) =
                (at.wrapping_sub(hash_of(cell) as usize), at.wrapping_sub(hole));
            if from_home & mask >= from_hole & mask {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = EMPTY;
    }

    fn double(&mut self) {
        let doubled = vec![EMPTY; self.cells.len() * 2];
        let cells = std::mem::replace(&mut self.cells, doubled);
        cells.into_iter().filter(|cell| *cell != EMPTY).for_each(|cell| self.place(cell));
    }

    fn place(&mut self, cell: u64) {
        let mask = self.cells.len() - 1;
        let mut at = hash_of(cell) as usize & mask;
        while self.cells[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.cells[at] = cell;
    }
}

// One more than its number, so that no cell is empty that has a slot.
fn cell(hash: u32, slot: u32) -> u64 {
    u64::from(hash) << 32 | (u64::from(slot) + 1)
}

#[inline]
fn hash_of(cell: u64) -> u32 {
    (cell >> 32) as u32
}

#[inline]
fn slot_of(cell: u64) -> u32 {
    (cell as u32).wrapping_sub(1)
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Few homes, near the end of the cells, so that runs meet and wrap around.
        #[test]
        fn it_finds_what_was_added_and_not_taken(
            steps in prop::collection::vec((0_u32..64, 0_u32..8, any::<bool>()), 0..300),
        ) {
            let (mut index, mut oracle) = (Index::new(), HashMap::new());
            for (slot, home, is_added) in steps {
                let hash = (slot << 24) + 12 + home % 6;
                let is_in = oracle.contains_key(&slot);
                if is_added && !is_in {
                    index.add(hash, slot);
                    oracle.insert(slot, hash);
                } else if let Some(hash) = oracle.remove(&slot) {
                    index.take(hash, slot);
                }
                prop_assert_eq!(index.len(), oracle.len());
                for slot in 0..64 {
                    let hash = oracle.get(&slot).copied();
                    let found = hash.and_then(|hash| index.find(hash, |found| found == slot));
                    prop_assert_eq!(found, hash.map(|_| slot));
                }
                prop_assert_eq!(index.find(7, |_| true), None);
            }
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_who_asks() {
        let mut index = Index::new();
        (0..40).for_each(|slot| index.add(9, slot));
        assert!((0..40).all(|slot| index.find(9, |found| found == slot) == Some(slot)));
        assert_eq!(index.find(9, |_| false), None);
        (0..40).for_each(|slot| index.take(9, slot));
        assert_eq!((index.len(), index.find(9, |_| true)), (0, None));
    }
}
