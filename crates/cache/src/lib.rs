//! The typed cache for applications at the root, and beneath it the parts that the gateway drives, in
//! [`mechanism`].
//!
#![doc = include_str!("../README.md")]

pub mod body;
pub mod budget;
mod cache;
pub mod clock;
pub mod codec;
#[cfg(feature = "disk")]
pub mod disk;
pub mod entry;
pub mod error;
pub mod flight;
pub mod lease;
pub mod log;
pub mod memory;
pub mod options;
pub mod purge;
#[cfg(feature = "redis")]
pub mod redis;
pub mod refresh;
mod remembered;
mod scatter;
mod slots;
pub mod stats;
mod sync;
pub mod tier;
pub mod tiers;

/// What goes wrong, and what to set.
#[doc = include_str!("../docs/guide.md")]
pub mod guide {}

use std::time::Duration;

pub use cache::*;
#[cfg(any(test, feature = "test-util"))]
pub use clock::ClockHand;
pub use clock::{Clock, Timestamp};

/// 1024 bytes.
pub const KIB: u64 = 1 << 10;

/// 1024 KiB.
pub const MIB: u64 = 1 << 20;

/// 1024 MiB.
pub const GIB: u64 = 1 << 30;

/// So many milliseconds.
pub const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many seconds.
pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// So many minutes.
pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(60))
}

/// So many hours.
pub const fn hours(count: u64) -> Duration {
    Duration::from_secs(count.saturating_mul(3_600))
}

/// What the gateway drives with HTTP's own judgement, in one place: entries, tiers, flights, leases, purges.
pub mod mechanism {
    pub use crate::body::{Body, BodyWriter, End, Limits, Reader, Reading, Source, Whole};
    pub use crate::budget::Budget;
    pub use crate::clock::{Clock, Timestamp};
    #[cfg(feature = "stored")]
    pub use crate::codec::HeadCodec;
    #[cfg(feature = "disk")]
    pub use crate::disk::{DiskError, DiskOptions, DiskSnapshot};
    pub use crate::entry::{Entry, Head, Key, Shelf, Stamp};
    pub use crate::error::{Broken, NobodyReads, TierFailure};
    pub use crate::flight::{Ending, Flight, Follower};
    pub use crate::lease::{Fence, Lease, Leases, Purpose, Response, Vigil, Wish, Word};
    pub use crate::log::{Appended, Log, LogFailure, NodeStanding, Purges, Standing, Trust};
    pub use crate::memory::Memory;
    pub use crate::options::{Hashing, Options};
    pub use crate::purge::{
        Belongs, Bounds, Epoch, Group, Kind, LogEntry, Position, Prefix, Rule, Rules, Scope,
        Verdict,
    };
    pub use crate::refresh::early_refresh;
    pub use crate::stats::{Snapshot, TierSnapshot};
    pub use crate::tier::{Admitted, Answer, Looked, Reach, Tier};
    pub use crate::tiers::{
        Clearance, Cleared, Found, Joined, Mark, Place, Refresh, Shared, Tiers, Used,
    };
}
