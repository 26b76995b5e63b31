//! Hosts of which it is known that neither they nor any wildcard that covers them have a route, so that
//! one look says what many would.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use super::{KnownRoutes, Slot};

/// It is believed for this part of the time that an absence is known: the wildcards are then looked at
/// again, before one of them could have been unasked for too long.
const PART: u64 = 16;

/// What an absent host knows of the wildcards above it; at first nothing.
#[derive(Debug, Default)]
pub(in super::super) struct Bare {
    /// The version of the table at which all of them were absent.
    version: AtomicU64,
    /// Until when that is believed, in milliseconds.
    until: AtomicU64,
}

impl KnownRoutes {
    /// The number of the table as it is now, never 0: it changes when a name may lead elsewhere, or when
    /// an absence is forgotten.
    pub(in super::super) fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// Whether a host and all wildcards that cover it are absent, as far as one look says.
    pub(in super::super) fn is_bare(&self, host: &str) -> bool {
        let shard = self.shard(host).read();
        let Some(Slot::Absent(absent)) = shard.get(host) else { return false };
        absent.bare.version.load(Relaxed) == self.version()
            && absent.bare.until.load(Relaxed) > self.millis()
    }

    /// Notes that a host and all wildcards that cover it were absent at this version.
    pub(in super::super) fn note_bare(&self, host: &str, version: u64) {
        let shard = self.shard(host).read();
        let Some(Slot::Absent(absent)) = shard.get(host) else { return };
        absent.bare.until.store(self.millis() + self.absent_millis() / PART, Relaxed);
        absent.bare.version.store(version, Relaxed);
    }
}
