//! The hash of keys in memory: one that cannot be flooded, or a quicker one, as the options say.

use std::hash::{BuildHasher, Hasher as _, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::options::Hashing;

/// Hashes keys, each memory tier its own way.
#[derive(Debug)]
pub(super) enum Hasher {
    Guarded(RandomState),
    Quick { seed: u64, begin: usize },
}

/// What a key hashes to: one half draws its shard, the other its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hashed(u64);

impl Hasher {
    pub(super) fn new(hashing: Hashing) -> Self {
        match hashing {
            Hashing::Guarded => Self::Guarded(RandomState::new()),
            Hashing::QuickAfter(begin) => Self::Quick { seed: rand::random(), begin },
        }
    }

    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> Hashed {
        match self {
            Self::Guarded(state) => {
                let mut hasher = state.build_hasher();
                hasher.write(key);
                Hashed(hasher.finish())
            }
            // The rest was written at once: what was not is not read from where it just went.
            Self::Quick { seed, begin } => {
                Hashed(xxh3_64_with_seed(key.get(*begin..).unwrap_or(key), *seed))
            }
        }
    }
}

impl Hashed {
    /// All of it, for another table of keys.
    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) fn shard(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline]
    pub(super) fn place(self) -> u32 {
        self.0 as u32
    }
}
