//! The hash of keys in memory: one that cannot be flooded, or a quicker one, as the options say.

use std::hash::{BuildHasher, RandomState};

use quick_cache::DefaultHashBuilder;

use crate::options::Hashing;

/// Makes hashers, each table its own way.
#[derive(Clone)]
pub(super) enum Hasher {
    Guarded(RandomState),
    Quick(DefaultHashBuilder),
}

impl Hasher {
    pub(super) fn new(hashing: Hashing) -> Self {
        match hashing {
            Hashing::Guarded => Self::Guarded(RandomState::new()),
            Hashing::Quick => Self::Quick(DefaultHashBuilder::default()),
        }
    }
}

/// One of the two at work.
pub(super) enum AtWork {
    Guarded(<RandomState as BuildHasher>::Hasher),
    Quick(<DefaultHashBuilder as BuildHasher>::Hasher),
}

impl BuildHasher for Hasher {
    type Hasher = AtWork;

    #[inline]
    fn build_hasher(&self) -> AtWork {
        match self {
            Self::Guarded(builder) => AtWork::Guarded(builder.build_hasher()),
            Self::Quick(builder) => AtWork::Quick(builder.build_hasher()),
        }
    }
}

impl std::hash::Hasher for AtWork {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        match self {
            Self::Guarded(hasher) => hasher.write(bytes),
            Self::Quick(hasher) => hasher.write(bytes),
        }
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        match self {
            Self::Guarded(hasher) => hasher.write_usize(number),
            Self::Quick(hasher) => hasher.write_usize(number),
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        match self {
            Self::Guarded(hasher) => hasher.finish(),
            Self::Quick(hasher) => hasher.finish(),
        }
    }
}
