//! One request in the whole cluster: whether this node fetches, or another does already.
//!
//! Who leads a flight in this node asks for a lease before he goes to the origin. Where another node
//! holds it, he waits to be told, and what that node stored ends the flight here. Without leases,
//! and where nobody can be asked, each node fetches for itself.

use std::time::Duration;

use forebay_cache::mechanism::{Clearance, Flight, Purpose, Shared, Word};
use tokio::time::{Instant, timeout_at};

use crate::ask::Ask;
use crate::gateway::Gateway;
use crate::kept::{Kept, KeptEntry, Unfilled};
use crate::seen::Seen;

/// How often a leader is told of something newer, or of something stored, that is not there.
const ASKS_IN_VAIN_MAX: usize = 4;

/// How often a leader asks at all: again whenever the node for which it waits has lasted for as long
/// as its lease, and each time without a wait where the connection comes and goes.
const ASKS_MAX: usize = 64;

type OwnFlight = Flight<Kept, Unfilled>;

/// What a leader is to do.
pub enum Cleared {
    /// Fetch.
    Go(OwnFlight),
    /// Another node has fetched, and all who wait here are told: this is what lies there now.
    Elsewhere(KeptEntry),
    /// Another node found it not shareable, and all who wait here are told.
    Unshared,
    /// Another node failed, and all who wait here are told.
    Unfilled(Unfilled),
    /// Another node still fetches, and nobody waits for it any longer.
    Late,
}

/// Asks whether to fetch, and waits for another node that does, for so long.
pub async fn clear(
    gateway: &Gateway,
    ask: &Ask,
    seen: &Seen,
    flight: OwnFlight,
    purpose: Purpose,
    limit: Duration,
) -> Cleared {
    let until = Instant::now() + limit;
    let (watched, mut stamp) = seen.watched(ask);
    let cache = gateway.cache();
    let mut in_vain = 0;
    for _ in 0..ASKS_MAX {
        if in_vain == ASKS_IN_VAIN_MAX {
            break;
        }
        let vigil = match cache.clear(&flight, &watched, stamp, purpose).await {
            Clearance::Go => return Cleared::Go(flight),
            Clearance::Wait(vigil) => Some(vigil),
            Clearance::Newer => None,
            Clearance::Unshared(remember) => {
                flight.decline(remember);
                return Cleared::Unshared;
            }
            Clearance::Resting(pause) => return rested(flight, Unfilled::of_code(0), pause),
        };
        let word = match vigil {
            None => Word::Stored,
            Some(vigil) => match timeout_at(until, vigil.told()).await {
                Ok(word) => word,
                Err(_) => return late(flight, purpose),
            },
        };
        match word {
            Word::Stored => match cache.look_up_shared(&watched).await {
                Shared::Newer(entry) => {
                    cache.hand_over(flight, &entry);
                    return Cleared::Elsewhere(entry);
                }
                Shared::Older(older) => match cache.peek(watched.as_bytes()) {
                    // Another request of this node has brought it into memory.
                    Some(held) if Some(held.stamp()) != seen.watched(ask).1 => {
                        cache.hand_over(flight, &held);
                        return Cleared::Elsewhere(held);
                    }
                    Some(_) | None => (stamp, in_vain) = (Some(older), in_vain + 1),
                },
                Shared::Nothing => (stamp, in_vain) = (None, in_vain + 1),
            },
            Word::Left => {}
            Word::Local => return Cleared::Go(flight),
            Word::Unshared(remember) => {
                flight.decline(remember);
                return Cleared::Unshared;
            }
            Word::Failed(code, pause) => return rested(flight, Unfilled::of_code(code), pause),
        }
    }
    Cleared::Go(flight)
}

/// Ends a flight whose fetch failed, here and on the nodes that wait, and pauses refreshes (P1.5).
pub fn rest(flight: OwnFlight, unfilled: Unfilled, ask: &Ask) {
    let pause = ask.lane.route.retry_pause;
    flight.tell_cluster(Word::Failed(unfilled.code(), pause));
    flight.rest(unfilled, pause);
}

fn rested(flight: OwnFlight, unfilled: Unfilled, pause: Duration) -> Cleared {
    flight.rest(unfilled.clone(), pause);
    Cleared::Unfilled(unfilled)
}

// Who needs it goes without a lease; who only refreshes leaves that to the other node.
fn late(flight: OwnFlight, purpose: Purpose) -> Cleared {
    match purpose {
        Purpose::Need => Cleared::Go(flight),
        Purpose::Refresh => Cleared::Late,
    }
}
