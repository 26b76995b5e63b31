//! What a disk tier counts.

use crate::stats::Count;

/// Counts that only grow.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub(super) kept: Count,
    pub(super) evicted: Count,
    pub(super) carried: Count,
    pub(super) expired: Count,
    pub(super) purged: Count,
    pub(super) damaged: Count,
    pub(super) dropped_busy: Count,
    pub(super) dropped_streams: Count,
    pub(super) dropped_slow: Count,
    pub(super) dropped_paused: Count,
    pub(super) write_errors: Count,
    pub(super) read_errors: Count,
    pub(super) reads_at_once: Count,
    pub(super) reads_behind: Count,
}

/// A disk tier's numbers at one moment. What is named `objects`, `bytes` and `paused` *is*; the
/// others only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskSnapshot {
    /// Entries in the index.
    pub objects: u64,
    /// Bytes of all files, in whole blocks.
    pub bytes: u64,
    /// The bound on those.
    pub bytes_max: u64,
    /// Bytes of the index in memory.
    pub index_bytes: u64,
    /// Whether writing rests after a failure.
    pub paused: bool,
    /// Entries written.
    pub kept: u64,
    /// Entries dropped for want of room.
    pub evicted: u64,
    /// Entries that were used and therefore written anew when their segment went.
    pub carried: u64,
    /// Entries dropped because their time was over.
    pub expired: u64,
    /// Entries dropped for want of room because a purge had killed them.
    pub purged: u64,
    /// Records that did not read back as they were written.
    pub damaged: u64,
    /// Entries not taken: too many waited to be written.
    pub dropped_busy: u64,
    /// Entries not taken: too many large bodies were being written.
    pub dropped_streams: u64,
    /// Entries not taken: the disk was slower than the body's other readers.
    pub dropped_slow: u64,
    /// Entries not taken: writing rests after a failure.
    pub dropped_paused: u64,
    /// Writes that the system refused.
    pub write_errors: u64,
    /// Reads that the system refused.
    pub read_errors: u64,
    /// Reads answered from the page cache, without another thread.
    pub reads_at_once: u64,
    /// Reads that another thread made.
    pub reads_behind: u64,
}

impl Stats {
    /// The growing counts; what *is* now, others fill in.
    pub(super) fn snapshot(&self) -> DiskSnapshot {
        DiskSnapshot {
            kept: self.kept.now(),
            evicted: self.evicted.now(),
            carried: self.carried.now(),
            expired: self.expired.now(),
            purged: self.purged.now(),
            damaged: self.damaged.now(),
            dropped_busy: self.dropped_busy.now(),
            dropped_streams: self.dropped_streams.now(),
            dropped_slow: self.dropped_slow.now(),
            dropped_paused: self.dropped_paused.now(),
            write_errors: self.write_errors.now(),
            read_errors: self.read_errors.now(),
            reads_at_once: self.reads_at_once.now(),
            reads_behind: self.reads_behind.now(),
            ..DiskSnapshot::default()
        }
    }
}
