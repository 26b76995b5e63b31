//! Whether a flight may go to the origin, as far as the other nodes of the cluster go.

use std::sync::Arc;
use std::time::Duration;

use super::{Into, Tiers};
use crate::entry::{Entry, Head, Key, Stamp};
use crate::flight::Flight;
use crate::lease::{Purpose, Response, Vigil, Wish};

/// What a leader is told who asks whether to go to the origin.
pub enum Clearance {
    /// Go: this node fetches, with a lease or, where nobody can be asked, without.
    Go,
    /// Another node fetches; wait for how that ends.
    Wait(Box<dyn Vigil>),
    /// In a tier that all nodes share lies another entry than the one that was seen.
    Newer,
    /// The key is not shareable for as long as that.
    Unshared(Duration),
    /// The last fetch failed; for as long as that none is tried.
    Resting(Duration),
}

/// What a look into the tiers found that all nodes share.
pub enum Shared<H> {
    /// A newer entry, which memory holds now.
    Newer(Arc<Entry<H>>),
    /// One that is older than what memory has, or the same.
    Older(Stamp),
    /// Nothing.
    Nothing,
}

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// Asks the cluster whether this flight may go to the origin. `watched` is the key of the entry
    /// that decides whether it still has to, `seen` that entry as it was seen. Takes no longer than
    /// the leases' own limit.
    pub async fn clear(
        &self,
        flight: &Flight<H, F>,
        watched: &Key,
        seen: Option<Stamp>,
        purpose: Purpose,
    ) -> Clearance {
        let Some(leases) = &self.parts.leases else { return Clearance::Go };
        if flight.has_lease() {
            return Clearance::Go;
        }
        let key = flight.key().clone();
        match leases.ask(Wish { key: &key, watched, seen, purpose }).await {
            Response::Ours(lease) => {
                flight.hold(lease);
                flight.begin();
                Clearance::Go
            }
            Response::Theirs(vigil) => Clearance::Wait(vigil),
            Response::Newer => Clearance::Newer,
            Response::Unshared(rest) => Clearance::Unshared(rest),
            Response::Resting(rest) => Clearance::Resting(rest),
            Response::Unreachable => {
                flight.begin();
                Clearance::Go
            }
        }
    }

    /// Looks into the tiers that all nodes share; what is newer than what memory holds takes its
    /// place there.
    pub async fn look_up_shared(&self, key: &Key) -> Shared<H> {
        let mark = self.mark(key.as_bytes());
        let Some((found, depth)) = self.parts.below.look_up_shared(key).await else {
            return Shared::Nothing;
        };
        let entry = found.entry;
        if !self.is_live(self.parts.clock.now(), key, &entry) {
            return Shared::Nothing;
        }
        if self.peek(key.as_bytes()).is_some_and(|held| !is_newer(&entry, &held)) {
            return Shared::Older(entry.stamp());
        }
        // A body that still arrives, or lies elsewhere, is not for memory; it answers all the same.
        if entry.body().as_whole().is_some() {
            if !self.hold_unless_removed(key, &entry, key.as_bytes(), mark) {
                return Shared::Nothing;
            }
            if depth > 0 {
                self.store(key.clone().into(), &entry, mark, None, Into::Nearest(depth));
            }
        }
        Shared::Newer(entry)
    }
}

fn is_newer<H: Head>(found: &Arc<Entry<H>>, held: &Arc<Entry<H>>) -> bool {
    found.stamp() != held.stamp() && found.head().is_newer_than(held.head())
}
