//! The hash of keys in memory: one that cannot be flooded, or a quicker one, as the options say.

use std::hash::{BuildHasher, Hash, RandomState};

use quick_cache::{DefaultHashBuilder, Equivalent};

use crate::entry::Key;
use crate::options::Hashing;

/// The bytes of a key that is looked up.
///
/// They were just written, by parts: reading several parts at once, as a comparison of memory does, waits
/// until they have reached the cache. So short ones are compared by words.
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn of(key: &'a [u8]) -> Self {
        Self(key)
    }
}

impl Hash for Bytes<'_> {
    #[inline]
    fn hash<S: std::hash::Hasher>(&self, state: &mut S) {
        self.0.hash(state);
    }
}

impl Equivalent<Key> for Bytes<'_> {
    #[inline]
    fn equivalent(&self, key: &Key) -> bool {
        let (one, other) = (self.0, key.as_bytes());
        if one.len() > SHORT_BYTES || one.len() != other.len() {
            return one == other;
        }
        let ((ones, one_rest), (others, other_rest)) =
            (one.as_chunks::<8>(), other.as_chunks::<8>());
        let are_same = |(one, other): (&[u8; 8], &[u8; 8])| {
            u64::from_ne_bytes(*one) == u64::from_ne_bytes(*other)
        };
        ones.iter().zip(others).all(are_same)
            && one_rest.iter().zip(other_rest).all(|(one, other)| one == other)
    }
}

/// Up to here words are quicker.
const SHORT_BYTES: usize = 24;

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
