//! What the purges say of entries, and what is done with those that they have killed.

use std::sync::Arc;

use super::Tiers;
use crate::clock::Timestamp;
use crate::entry::{Entry, Head, Key};
use crate::log::Purges;
use crate::purge::Epoch;
use crate::purge::Verdict;

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// What the purges say of an entry that was found under this key. One that was alive costs a
    /// compare of two numbers as long as nothing else is purged.
    pub fn judge(&self, entry: &Entry<H>, key: &[u8]) -> Verdict {
        self.parts.purges.judge_entry(entry, key)
    }

    /// The purges that it goes by.
    pub fn purges(&self) -> &Purges {
        &self.parts.purges
    }

    /// What an entry bears whose fetch begins now. A flight knows its own: [`crate::flight::Flight::epoch`].
    pub fn epoch_now(&self) -> Epoch {
        self.parts.purges.epoch()
    }

    pub(super) fn is_gone(&self, entry: &Entry<H>, key: &[u8]) -> bool {
        matches!(self.judge(entry, key), Verdict::Gone { .. })
    }

    pub(super) fn is_live(&self, now: Timestamp, key: &Key, entry: &Entry<H>) -> bool {
        !entry.is_expired(now) && !self.is_gone(entry, key.as_bytes())
    }

    pub(super) fn unless_gone(&self, key: &[u8], entry: Arc<Entry<H>>) -> Option<Arc<Entry<H>>> {
        if !self.is_gone(&entry, key) {
            return Some(entry);
        }
        self.parts.memory.remove_purged(key, &entry);
        None
    }
}
