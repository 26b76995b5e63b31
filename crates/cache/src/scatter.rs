//! Keys spread over a few places: locks, counters.
//!
//! The hash is a fast one. Whoever finds keys that share a place, although it is drawn by each process
//! anew, meets himself there, as he would with one key that he asks for again and again. Where many
//! keys in one place would make a search long, the hash is another.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// By which places are drawn.
#[derive(Debug)]
pub(crate) struct Scatter(u64);

impl Scatter {
    pub(crate) fn new() -> Self {
        Self(rand::random())
    }

    /// The place of a key among so many, of which there must be one.
    pub(crate) fn place(&self, key: &[u8], places: usize) -> usize {
        xxh3_64_with_seed(key, self.0) as usize % places
    }
}
