//! The bounds of a disk tier, each with its default.

use std::path::PathBuf;
use std::time::Duration;

use crate::budget::Budget;

/// The least that a disk tier may be given.
pub const SIZE_BYTES_MIN: u64 = 8 << 20;

/// The longest body of which the whole record lies in a segment; a longer one has its own file.
pub(super) const INLINE_BYTES_MAX: u64 = 256 << 10;

/// Segments are this share of the tier's size, within these bounds: what is evicted at once.
const SEGMENTS: u64 = 64;
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=64 << 20;

/// Where, how much, how long, how many.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// The directory. It is made if it does not exist, in a parent that does.
    pub path: PathBuf,
    /// Bytes of all files together, each counted in whole blocks of 4 KiB. Over it, the oldest go.
    /// What was deleted while somebody still reads it is not counted.
    pub size_bytes: u64,
    /// The longest body that is taken; never more than a quarter of the size.
    pub body_bytes_max: u64,
    /// What a crash may lose: that which was written so shortly before.
    pub sync_interval: Duration,
    /// Bytes of entries that wait to be written. Over it, an entry is not taken, and counted.
    pub write_queue_bytes: usize,
    /// Large bodies that are written at once. Over it, an entry is not taken, and counted.
    pub streams_max: usize,
    /// How long writing rests after the system refused a write; each failure in a row doubles it,
    /// up to 30 s.
    pub retry_pause: Duration,
    /// What the bodies that are read into memory are counted against.
    pub budget: Budget,
}

impl DiskOptions {
    /// The defaults, for a directory and its size.
    pub fn new(path: impl Into<PathBuf>, size_bytes: u64) -> Self {
        Self {
            path: path.into(),
            size_bytes,
            body_bytes_max: size_bytes / 8,
            sync_interval: Duration::from_secs(1),
            write_queue_bytes: 64 << 20,
            streams_max: 64,
            retry_pause: Duration::from_secs(1),
            budget: Budget::new(64 << 20),
        }
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        (self.size_bytes / SEGMENTS).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end())
    }
}
