//! A multi-level cache that knows no HTTP: what is kept, for how long it is kept, and who fetches.
//!
//! It is *mechanism*: [`Cache::look_up`] asks the tiers in order, [`Cache::join`] lets one caller
//! fetch for many, [`Cache::fill`] hands what arrives to all of them and keeps it when it is whole.
//! Whether an entry may answer is the caller's judgement. Read [`cache`] first.

pub mod body;
pub mod budget;
pub mod cache;
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
mod slots;
pub mod stats;
mod sync;
pub mod tier;

pub use body::{Body, BodyWriter, End, Limits, Reader, Reading, Source, Whole};
pub use budget::Budget;
pub use cache::{Cache, Clearance, Found, Joined, Mark, Place, Refresh, Shared, Used};
pub use clock::{Clock, Timestamp};
pub use codec::HeadCodec;
pub use disk::{DiskError, DiskOptions, DiskSnapshot};
pub use entry::{Entry, Head, Key, Stamp};
pub use error::{Broken, NobodyReads, TierFailure};
pub use flight::{Ending, Flight, Follower};
pub use lease::{Fence, Lease, Leases, Purpose, Response, Vigil, Wish, Word};
pub use log::{Appended, Log, LogFailure, NodeStanding, Purges, Standing, Trust};
pub use memory::Memory;
pub use options::Options;
pub use purge::{
    Belongs, Bounds, Epoch, Group, Kind, LogEntry, Position, Prefix, Rule, Rules, Scope, Verdict,
};
pub use refresh::early_refresh;
pub use stats::{Snapshot, TierSnapshot};
pub use tier::{Admitted, Answer, Reach, Tier};
