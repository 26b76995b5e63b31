//! The bounds of a cache, each with its default.

use std::time::Duration;

use crate::budget::Budget;

/// How much, how many, how long. Every number here is a bound that holds under attack.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of the memory tier, overhead counted. Over it, entries are evicted.
    pub memory_bytes_max: usize,
    /// Bytes of a second shelf, for entries that say that they lie aside; none, and they lie among
    /// all others.
    pub aside_bytes_max: Option<usize>,
    /// How the memory tier hashes keys.
    pub hashing: Hashing,
    /// The heaviest entry that the memory tier admits; `None` for a tenth of the tier, but at
    /// least 1 MiB and at most 64 MiB. Never more than nine tenths of the tier.
    pub entry_bytes_max: Option<usize>,
    /// The weight of a typical entry; sizes the memory of what was evicted lately.
    pub entry_bytes_typical: usize,
    /// Bytes of bodies alive beyond the memory tier: arriving, or still read after eviction.
    /// Over it, bodies pass through a window and are not kept.
    pub arriving_bytes_max: usize,
    /// The longest body that is kept; `None` for what the memory tier admits.
    pub kept_bytes_max: Option<u64>,
    /// Bytes between the writer and the slowest reader of a body that is not kept.
    pub window_bytes_max: usize,
    /// Flights at once. Over it, a caller fetches for itself.
    pub flights_max: usize,
    /// Followers of one flight. Over it, a caller fetches for itself.
    pub followers_max: usize,
    /// Keys remembered as not shareable. Over it, the oldest is forgotten.
    pub declined_max: usize,
    /// Keys that rest after a failed refresh. Over it, the oldest may be tried again.
    pub resting_max: usize,
    /// How long a tier below memory may take to find an entry. Over it, it is a miss.
    pub tier_wait_max: Duration,
    /// How long a tier below memory may take to store an entry. Over it, it does not have it.
    pub put_wait_max: Duration,
    /// Entries on their way into the tiers below memory. Over it, they stay in memory only.
    pub puts_max: usize,
}

/// How keys are hashed in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    /// SipHash: for keys that strangers choose, who may try to make them collide.
    Guarded,
    /// Quicker, seeded by chance: for keys that a program makes. They all begin with the same bytes, so
    /// many, which tell none from another.
    QuickAfter(usize),
}

impl Options {
    /// What the bodies of a cache with these options, and of its tiers, are counted against.
    pub fn budget(&self) -> Budget {
        Budget::new(self.memory_bytes_max.saturating_add(self.arriving_bytes_max))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_bytes_max: 256 << 20,
            aside_bytes_max: None,
            hashing: Hashing::Guarded,
            entry_bytes_max: None,
            entry_bytes_typical: 8 << 10,
            arriving_bytes_max: 64 << 20,
            kept_bytes_max: None,
            window_bytes_max: 256 << 10,
            flights_max: 65_536,
            followers_max: 65_536,
            declined_max: 65_536,
            resting_max: 65_536,
            tier_wait_max: Duration::from_millis(250),
            put_wait_max: Duration::from_secs(10),
            puts_max: 1_024,
        }
    }
}
