//! Checksums against damage by chance. They are no protection from whoever wants to forge.

#[cfg(feature = "stored")]
use twox_hash::XxHash3_64;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// From here on it pays to ask the processor which vectors it has.
#[cfg(feature = "stored")]
const LONG_BYTES: usize = 1024;

/// The checksum of these bytes (XXH3, 64 bits).
pub fn checksum(bytes: &[u8]) -> u64 {
    #[cfg(feature = "stored")]
    if bytes.len() >= LONG_BYTES {
        return XxHash3_64::oneshot(bytes);
    }
    xxh3_64(bytes)
}

/// The checksum of bytes that come in pieces: the same as of all of them at once.
#[derive(Clone, Default)]
pub struct Checksum(Xxh3);

impl Checksum {
    /// The checksum of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on with these bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all that was added.
    pub fn value(&self) -> u64 {
        self.0.digest()
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checksum({:016x})", self.value())
    }
}
