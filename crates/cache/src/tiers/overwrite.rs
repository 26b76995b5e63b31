//! Writes from outside of a fetch: they are in force in all tiers, or it is said which one failed.

use std::sync::Arc;

use super::Tiers;
use super::below::{Into, Load};
use crate::entry::{Entry, Head, Key};
use crate::error::TierFailure;

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// As [`Tiers::remove`], and says which tiers may still hold what they held.
    pub async fn remove_surely(&self, key: &Key) -> Result<(), TierFailure> {
        self.parts.flights.spoil(key.as_bytes());
        self.forget_in_memory(key);
        if !self.has_tiers() {
            return Ok(());
        }
        let removed = self.parts.below.remove(key).await;
        // Again, for whoever read below before it was gone from there and promotes it now.
        self.forget_in_memory(key);
        removed
    }

    /// Puts an entry in place of whatever is held or being fetched under the key, in all tiers, and
    /// waits for them. Memory has one of the two at every moment. Fails if what a tier below held may
    /// still be there; that one did not take the new entry is only counted. Dropped while it waits,
    /// the tiers below may hold what they held: to be run apart from who may leave.
    pub async fn overwrite(&self, key: &Key, entry: &Arc<Entry<H>>) -> Result<(), TierFailure> {
        self.parts.flights.spoil(key.as_bytes());
        self.hold(key, entry);
        if !self.has_tiers() {
            return Ok(());
        }
        let removed = self.parts.below.remove(key).await;
        // Again, as a removal does.
        self.hold(key, entry);
        let (mark, lease) = (self.mark(key.as_bytes()), None);
        let load = Load { key: key.clone(), entry: Arc::clone(entry), index: None, mark, lease };
        self.parts.below.store_now(&load, Into::All, &self.parts.removals).await;
        removed
    }

    // What is on its way up or down is older.
    fn hold(&self, key: &Key, entry: &Arc<Entry<H>>) {
        self.parts.removals.note(key.as_bytes());
        if self.is_gone(entry, key.as_bytes()) {
            return self.parts.memory.remove(key.as_bytes());
        }
        self.parts.memory.insert(key, entry);
    }
}
