//! The stored form: how an entry lies on a disk or in Redis.
//!
//! Flat: a front of fixed size with magic, version, lengths and checksums, then key, head and
//! trailer; the body follows or lies elsewhere. What is damaged, foreign or of another version does
//! not read, and is a miss.

mod checksum;
#[cfg(feature = "stored")]
mod compression;
mod damage;
#[cfg(feature = "stored")]
mod front;
#[cfg(feature = "stored")]
mod record;
#[cfg(feature = "redis")]
mod seal;

use bytes::Bytes;

pub use checksum::{Checksum, checksum};
#[cfg(feature = "stored")]
pub use compression::{compressed, decompressed};
pub use damage::Damage;
#[cfg(feature = "stored")]
pub use front::{FRONT_BYTES, Front, Layout, OPENING, STAMP_OFFSET};
#[cfg(feature = "stored")]
pub use record::{Record, StoredBody, StoredRecord};
#[cfg(feature = "redis")]
pub use seal::{SEAL_BYTES, Seal};

/// Turns heads into bytes and back. What `encode` wrote, `decode` reads on any node that runs the
/// same version; what it does not understand is a miss.
pub trait HeadCodec<H>: Send + Sync + 'static {
    /// Appends the head's stored form.
    fn encode(&self, head: &H, out: &mut Vec<u8>);

    /// Reads a head; `None` for what it does not understand. The head may share these bytes.
    fn decode(&self, bytes: &Bytes) -> Option<H>;

    /// Whether bodies under such a head get smaller by compression.
    fn is_compressible(&self, head: &H) -> bool {
        let _ = head;
        false
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
