//! What was found below memory comes into memory, and into the tiers above the one that had it.

use std::sync::Arc;

use super::{Into, Mark, Tiers};
use crate::body::End;
use crate::clock::Timestamp;
use crate::entry::{Entry, Head, Key};
use crate::memory::Hashed;

/// What is promoted.
pub(super) struct Promotion<H> {
    pub(super) key: Key,
    /// What memory hashes the key to.
    pub(super) hashed: Hashed,
    pub(super) entry: Arc<Entry<H>>,
    /// How many tiers lie above the one that had it, memory not counted.
    pub(super) depth: usize,
    /// How often the key had been removed before it was looked up.
    pub(super) mark: Mark,
}

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// Promotes what is whole now, and else when it is.
    pub(super) fn promote(&self, now: Timestamp, promotion: Promotion<H>) {
        if promotion.entry.body().as_whole().is_some() {
            return self.take_up(now, promotion);
        }
        let (cache, body) = (self.clone(), promotion.entry.body().clone());
        body.on_end(Box::new(move |end| {
            if *end == End::Whole {
                cache.take_up(cache.parts.clock.now(), promotion);
            }
        }));
    }

    fn take_up(&self, now: Timestamp, promotion: Promotion<H>) {
        let Promotion { key, hashed, entry, depth, mark } = promotion;
        let is_removed = || self.parts.removals.is_since(mark, key.as_bytes());
        if is_removed() || self.is_gone(&entry, key.as_bytes()) {
            return;
        }
        self.parts.memory.insert_if_absent_at(now, hashed, &key, &entry);
        if is_removed() {
            self.parts.memory.remove_this(key.as_bytes(), &entry);
        }
        if depth > 0 {
            self.store(key.into(), &entry, mark, None, Into::Nearest(depth));
        }
    }
}
