//! A multi-level cache that knows no HTTP: what is kept, for how long it is kept, and who fetches.
//!
//! It is *mechanism*: [`tiers::Tiers::look_up`] asks the tiers in order, [`tiers::Tiers::join`] lets one caller
//! fetch for many, [`tiers::Tiers::fill`] hands what arrives to all of them and keeps it when it is whole.
//! Whether an entry may answer is the caller's judgement. Read [`tiers`] first.

pub mod body;
pub mod budget;
pub mod clock;
pub mod codec;
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

/// What the gateway drives with HTTP's own judgement, in one place: entries, tiers, flights, leases, purges.
pub mod mechanism {
    pub use crate::body::{Body, BodyWriter, End, Limits, Reader, Reading, Source, Whole};
    pub use crate::budget::Budget;
    pub use crate::clock::{Clock, Timestamp};
    pub use crate::codec::HeadCodec;
    pub use crate::disk::{DiskError, DiskOptions, DiskSnapshot};
    pub use crate::entry::{Entry, Head, Key, Stamp};
    pub use crate::error::{Broken, NobodyReads, TierFailure};
    pub use crate::flight::{Ending, Flight, Follower};
    pub use crate::lease::{Fence, Lease, Leases, Purpose, Response, Vigil, Wish, Word};
    pub use crate::log::{Appended, Log, LogFailure, NodeStanding, Purges, Standing, Trust};
    pub use crate::memory::Memory;
    pub use crate::options::Options;
    pub use crate::purge::{
        Belongs, Bounds, Epoch, Group, Kind, LogEntry, Position, Prefix, Rule, Rules, Scope,
        Verdict,
    };
    pub use crate::refresh::early_refresh;
    pub use crate::stats::{Snapshot, TierSnapshot};
    pub use crate::tier::{Admitted, Answer, Reach, Tier};
    pub use crate::tiers::{Clearance, Found, Joined, Mark, Place, Refresh, Shared, Tiers, Used};
}
