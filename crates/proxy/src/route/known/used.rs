//! Which lanes of the table have connections.

use std::sync::Arc;

use super::KnownRoutes;
use crate::route::lane::Lane;
use crate::route::slot::Slot;

impl KnownRoutes {
    /// Lanes that have been used, at most so many.
    pub(in crate::route) fn used(&self, limit: usize) -> Vec<Arc<Lane>> {
        let mut used = Vec::new();
        for shard in &self.shards {
            let shard = shard.read();
            let known = shard.values().filter_map(|slot| match slot {
                Slot::Known(known) => Some(known.lanes.all()),
                Slot::Absent(_) => None,
            });
            let made = known.flatten().filter(|lane| lane.made().is_some());
            used.extend(made.take(limit - used.len()).cloned());
        }
        used
    }
}
