//! Counts: plain atomics inside, a [`Snapshot`] for whoever prints them.

mod striped;

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use striped::StripedCount;

/// One number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one_more(&self) {
        self.more(1);
    }

    pub(crate) fn more(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the cache counts while it runs.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) memory_hits: StripedCount,
    pub(crate) misses: Count,
    pub(crate) inserts: Count,
    pub(crate) refused: Count,
    pub(crate) evicted: Count,
    pub(crate) expired: Count,
    pub(crate) purged: Count,
    pub(crate) led: Count,
    pub(crate) followed: Count,
    pub(crate) unshared: Count,
    pub(crate) filled: Count,
    pub(crate) declined: Count,
    pub(crate) abandoned: Count,
    pub(crate) handed_over: Count,
    pub(crate) timed_out: Count,
}

/// What happened at one tier below memory.
#[derive(Debug, Default)]
pub(crate) struct TierStats {
    pub(crate) hits: Count,
    pub(crate) misses: Count,
    pub(crate) failed: Count,
    pub(crate) late: Count,
    pub(crate) stored: Count,
    pub(crate) refused: Count,
    pub(crate) busy: Count,
    pub(crate) fenced: Count,
}

/// All counts at one moment. Those that can fall are named as what *is*; the others only grow.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Look-ups that memory answered.
    pub memory_hits: u64,
    /// Look-ups that no tier answered; one of memory alone is not counted when it finds nothing.
    pub misses: u64,
    /// Entries that memory took.
    pub inserts: u64,
    /// Entries that memory refused as too large.
    pub refused: u64,
    /// Entries that memory dropped for want of room.
    pub evicted: u64,
    /// Entries reclaimed because their time was over.
    pub expired: u64,
    /// Entries that were met and reclaimed because a purge had killed them.
    pub purged: u64,
    /// Flights opened.
    pub led: u64,
    /// Callers who waited for a flight, or read the body that it was fetching.
    pub followed: u64,
    /// Callers who had to fetch for themselves: key not shareable, or no room to wait.
    pub unshared: u64,
    /// Flights that ended with an entry.
    pub filled: u64,
    /// Flights that ended as not shareable.
    pub declined: u64,
    /// Flights that ended with a failure.
    pub abandoned: u64,
    /// Flights whose leader left without an ending, so that a follower took over.
    pub handed_over: u64,
    /// Followers who waited long enough.
    pub timed_out: u64,
    /// Entries that went into no lower tier because too many were on their way.
    pub puts_dropped: u64,
    /// Bodies that passed through a window instead of being kept.
    pub windowed: u64,
    /// Entries in memory now.
    pub entries: u64,
    /// Their weight now, overhead counted.
    pub memory_bytes: u64,
    /// Bytes of bodies alive now: held, arriving, or read after eviction.
    pub body_bytes: u64,
    /// Flights open now.
    pub flights: u64,
    /// The tiers below memory, the nearest first.
    pub tiers: Vec<TierSnapshot>,
}

/// What happened at one tier below memory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TierSnapshot {
    /// The tier's name.
    pub name: &'static str,
    /// Look-ups that it answered.
    pub hits: u64,
    /// Look-ups that it had nothing for.
    pub misses: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were given up because it was late.
    pub late: u64,
    /// Entries that it took.
    pub stored: u64,
    /// Entries that its rules refused: too large, not yet asked for again, cut off.
    pub refused: u64,
    /// Entries that it had no time for.
    pub busy: u64,
    /// Entries whose lease was lost, or which were removed while they were fetched.
    pub fenced: u64,
}

impl Stats {
    /// The growing counts; what *is* now, others fill in.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            memory_hits: self.memory_hits.now(),
            misses: self.misses.now(),
            inserts: self.inserts.now(),
            refused: self.refused.now(),
            evicted: self.evicted.now(),
            expired: self.expired.now(),
            led: self.led.now(),
            followed: self.followed.now(),
            unshared: self.unshared.now(),
            filled: self.filled.now(),
            declined: self.declined.now(),
            abandoned: self.abandoned.now(),
            handed_over: self.handed_over.now(),
            timed_out: self.timed_out.now(),
            ..Snapshot::default()
        }
    }
}

impl TierStats {
    pub(crate) fn snapshot(&self, name: &'static str) -> TierSnapshot {
        TierSnapshot {
            name,
            hits: self.hits.now(),
            misses: self.misses.now(),
            failed: self.failed.now(),
            late: self.late.now(),
            stored: self.stored.now(),
            refused: self.refused.now(),
            busy: self.busy.now(),
            fenced: self.fenced.now(),
        }
    }
}
