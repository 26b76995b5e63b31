//! One fetch in the whole cluster: whether this node fetches, or another does already.
//!
//! Who leads a flight in this node asks for a lease before he goes. Where another node holds it, he
//! waits to be told, and what that node stored ends the flight here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Clearance, Shared, Tiers};
use crate::entry::{Entry, Head, Key, Stamp};
use crate::flight::Flight;
use crate::lease::{Purpose, Word};

/// How often a leader is told of something newer, or of something stored, that is not there.
const ASKS_IN_VAIN_MAX: usize = 4;

/// How often a leader asks at all: again whenever the node for which it waits has lasted for as long
/// as its lease, and each time without a wait where the connection comes and goes.
const ASKS_MAX: usize = 64;

/// What a leader is to do, as far as the other nodes of the cluster go.
#[derive(Debug)]
pub enum Cleared<H, F> {
    /// Fetch.
    Go(Flight<H, F>),
    /// Another node has fetched, and all who wait here are told: this is what lies there now.
    Elsewhere(Arc<Entry<H>>),
    /// Another node found it not shareable for as long as that: end the flight so.
    Unshared(Flight<H, F>, Duration),
    /// Another node failed, in a way that it has a number for, and no refresh is tried for as long
    /// as that: end the flight so.
    Failed(Flight<H, F>, u16, Duration),
    /// Another node still fetches, and the time to wait for it is over.
    Late(Flight<H, F>),
}

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// As [`Tiers::clear`], and waits for another node that fetches, for so long.
    pub async fn clear_within(
        &self,
        flight: Flight<H, F>,
        watched: &Key,
        seen: Option<Stamp>,
        purpose: Purpose,
        limit: Duration,
    ) -> Cleared<H, F> {
        let (until, mut stamp) = (Instant::now() + limit, seen);
        let mut in_vain = 0;
        for _ in 0..ASKS_MAX {
            if in_vain == ASKS_IN_VAIN_MAX {
                break;
            }
            let vigil = match self.clear(&flight, watched, stamp, purpose).await {
                Clearance::Go => return Cleared::Go(flight),
                Clearance::Wait(vigil) => Some(vigil),
                Clearance::Newer => None,
                Clearance::Unshared(remember) => return Cleared::Unshared(flight, remember),
                Clearance::Resting(pause) => return Cleared::Failed(flight, 0, pause),
            };
            let word = match vigil {
                None => Word::Stored,
                Some(vigil) => match timeout_at(until, vigil.told()).await {
                    Ok(word) => word,
                    Err(_) => return Cleared::Late(flight),
                },
            };
            match word {
                Word::Stored => match self.stored_elsewhere(watched, seen).await {
                    Shared::Newer(entry) => {
                        self.hand_over(flight, &entry);
                        return Cleared::Elsewhere(entry);
                    }
                    Shared::Older(older) => (stamp, in_vain) = (Some(older), in_vain + 1),
                    Shared::Nothing => (stamp, in_vain) = (None, in_vain + 1),
                },
                Word::Left => {}
                Word::Local => return Cleared::Go(flight),
                Word::Unshared(remember) => return Cleared::Unshared(flight, remember),
                Word::Failed(code, pause) => return Cleared::Failed(flight, code, pause),
            }
        }
        Cleared::Go(flight)
    }

    async fn stored_elsewhere(&self, watched: &Key, seen: Option<Stamp>) -> Shared<H> {
        let found = self.look_up_shared(watched).await;
        match (&found, self.peek(watched.as_bytes())) {
            // Another request of this node has brought it into memory.
            (Shared::Older(_), Some(held)) if Some(held.stamp()) != seen => Shared::Newer(held),
            (Shared::Newer(_) | Shared::Older(_) | Shared::Nothing, _) => found,
        }
    }
}
