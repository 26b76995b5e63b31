//! Which keys were removed, and when in the order of all writes: what is older under their hashes
//! is dead, whatever else lies on the disk.
//!
//! A file of its own, and that twice: no crash, and no one damage, loses a removal that was
//! confirmed. It lives as long as any segment that may hold what it killed.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::directory::{Paths, numbered};
use super::medium::Medium;
use super::sum::{number, sum};

const REMOVAL_BYTES: usize = 24;
const ORDINAL: u64 = 0x656e_6f67;

/// A removal that is not on the disk yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Removal {
    pub(super) hash: u64,
    pub(super) seq: u64,
}

impl Removal {
    pub(super) fn to_bytes(self) -> [u8; REMOVAL_BYTES] {
        let mut bytes = [0; REMOVAL_BYTES];
        bytes[..8].copy_from_slice(&self.hash.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        let seal = sum(&bytes[..16], ORDINAL, 0);
        bytes[16..].copy_from_slice(&seal.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let is_sound = number(bytes, 16) == sum(&bytes[..16], ORDINAL, 0);
        is_sound.then(|| Self { hash: number(bytes, 0), seq: number(bytes, 8) })
    }
}

/// Adds the removals that these bytes hold, the latest of each hash. Says how many were damaged.
pub(super) fn read_into(bytes: &[u8], removed: &mut HashMap<u64, u64>) -> u64 {
    let mut damaged = 0;
    for one in bytes.chunks_exact(REMOVAL_BYTES) {
        let Some(removal) = Removal::read(one) else {
            damaged += 1;
            continue;
        };
        let seq = removed.entry(removal.hash).or_default();
        *seq = removal.seq.max(*seq);
    }
    damaged
}

/// All that was ever removed and is not forgotten.
pub(super) struct Removals {
    paths: Paths,
    generation: u32,
    copies: Option<[(File, PathBuf); 2]>,
    len: u64,
    /// The length after it was last written anew.
    compact_len: u64,
}

impl Removals {
    /// Reads all generations.
    pub(super) fn load(paths: &Paths) -> io::Result<(Self, HashMap<u64, u64>, u64)> {
        let (mut removed, mut damaged, mut generation) = (HashMap::new(), 0, 0);
        for ending in [".gone-a", ".gone-b"] {
            for (number, path) in numbered(&paths.segments, ending, 10)? {
                damaged += read_into(&std::fs::read(&path)?, &mut removed);
                generation = generation.max(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        let removals =
            Self { paths: paths.clone(), generation, copies: None, len: 0, compact_len: 0 };
        Ok((removals, removed, damaged))
    }

    /// The bytes of both copies, in whole blocks.
    pub(super) fn bytes(&self) -> u64 {
        2 * super::blocks(self.len)
    }

    /// What both copies grow by with so many more.
    pub(super) fn growth(&self, more: usize) -> u64 {
        2 * super::blocks(self.len + (more * REMOVAL_BYTES) as u64) - self.bytes()
    }

    /// Appends these; they are durable when this returns well.
    pub(super) fn append(&mut self, medium: &dyn Medium, removals: &[Removal]) -> io::Result<()> {
        if self.copies.is_none() {
            self.begin(medium)?;
        }
        let bytes: Vec<u8> = removals.iter().flat_map(|removal| removal.to_bytes()).collect();
        for (file, path) in self.copies.iter().flatten() {
            medium.write_at(file, path, &bytes, self.len)?;
        }
        for (file, path) in self.copies.iter().flatten() {
            medium.sync(file, path)?;
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Whether so much was appended that it is worth forgetting what is not needed any more.
    pub(super) fn is_grown(&self) -> bool {
        self.len > 2 * self.compact_len + (64 << 10)
    }

    /// What is on the disk now.
    pub(super) fn read_back(&self) -> io::Result<HashMap<u64, u64>> {
        let mut removed = HashMap::new();
        for (_, path) in self.copies.iter().flatten() {
            read_into(&std::fs::read(path)?, &mut removed);
        }
        Ok(removed)
    }

    /// Writes a generation of these alone, and then deletes all older ones.
    pub(super) fn replace(
        &mut self,
        medium: &dyn Medium,
        removed: &HashMap<u64, u64>,
    ) -> io::Result<()> {
        let all: Vec<_> =
            removed.iter().map(|(hash, seq)| Removal { hash: *hash, seq: *seq }).collect();
        let (copies, len) = (self.copies.take(), std::mem::take(&mut self.len));
        if !all.is_empty()
            && let Err(failed) = self.append(medium, &all)
        {
            // The old generation still says all; the begun one says nothing that is not so.
            (self.copies, self.len) = (copies, len);
            return Err(failed);
        }
        self.compact_len = self.len;
        self.delete_older(medium)
    }

    fn delete_older(&self, medium: &dyn Medium) -> io::Result<()> {
        let current = self.copies.as_ref().map(|copies| copies.each_ref().map(|copy| &copy.1));
        for ending in [".gone-a", ".gone-b"] {
            for (_, path) in numbered(&self.paths.segments, ending, 10)? {
                if !current.is_some_and(|current| current.contains(&&path)) {
                    medium.delete(&path)?;
                }
            }
        }
        medium.sync_names(&self.paths.segments)
    }

    fn begin(&mut self, medium: &dyn Medium) -> io::Result<()> {
        let next = self.generation.checked_add(1);
        self.generation = next.ok_or_else(|| io::Error::other("no number is left"))?;
        let [a, b] = self.paths.removals(self.generation);
        let copies = [(medium.create(&a)?, a), (medium.create(&b)?, b)];
        medium.sync_names(&self.paths.segments)?;
        (self.copies, self.len) = (Some(copies), 0);
        Ok(())
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_removal_is_counted_and_hides_no_other() {
        let all = [(1, 10), (2, 11), (1, 12)].map(|(hash, seq)| Removal { hash, seq });
        let bytes: Vec<u8> = all.iter().flat_map(|one| one.to_bytes()).collect();
        let mut removed = HashMap::new();
        assert_eq!(read_into(&bytes, &mut removed), 0);
        assert_eq!(removed, HashMap::from([(1, 12), (2, 11)]));
        for at in 0..bytes.len() {
            let (mut flipped, mut removed) = (bytes.clone(), HashMap::new());
            flipped[at] ^= 1;
            assert_eq!(read_into(&flipped, &mut removed), 1, "{at}");
        }
    }
}
