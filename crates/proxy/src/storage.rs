//! What the cache stands on: the bounds of memory, the tiers below it, and who may fetch in the whole
//! cluster.

use std::sync::Arc;

use forebay_cache::{Budget, Clock, Leases, Options, Tier};

use crate::config::{Config, defaults};
use crate::kept::{Cache, Kept};

/// Bytes of bodies alive beyond the memory tier: a quarter of it, within these.
const ARRIVING_BYTES_LEAST: usize = 8 << 20;
const ARRIVING_BYTES_MOST: usize = 64 << 20;

/// The tiers of a cache, opened.
pub struct Storage {
    options: Options,
    budget: Budget,
    tiers: Vec<Arc<dyn Tier<Kept>>>,
    leases: Option<Arc<dyn Leases>>,
}

impl Storage {
    /// Memory alone.
    pub fn of_memory(config: &Config) -> Self {
        let options = options(config);
        Storage { budget: options.budget(), options, tiers: Vec::new(), leases: None }
    }

    /// The cache over it.
    pub fn cache(self, clock: Clock) -> Cache {
        Cache::with_tiers(&self.options, clock, &self.budget, self.tiers, self.leases)
    }
}

fn options(config: &Config) -> Options {
    let memory_bytes_max = usize::try_from(config.memory_bytes).unwrap_or(usize::MAX);
    let arriving = memory_bytes_max / 4;
    let arriving_bytes_max = arriving.clamp(ARRIVING_BYTES_LEAST, ARRIVING_BYTES_MOST);
    let entry_bytes_max = Some(entry_bytes(config));
    Options { memory_bytes_max, arriving_bytes_max, entry_bytes_max, ..Options::default() }
}

/// The heaviest entry that memory must admit for every route to keep what it may: its longest body,
/// and some room for its head and for what pages cost. With a disk, longer ones lie there alone.
fn entry_bytes(config: &Config) -> usize {
    let longest = config.routes.iter().map(|route| route.stored_body_bytes_max).max().unwrap_or(0);
    let longest = match config.disk {
        Some(_) => longest.min(defaults::stored_body_bytes_max(config.memory_bytes)),
        None => longest,
    };
    let room = longest / 32 + config.limits.head_bytes_max as u64;
    usize::try_from(longest.saturating_add(room)).unwrap_or(usize::MAX)
}
