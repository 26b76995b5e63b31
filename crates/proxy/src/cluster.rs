//! One request in the whole cluster: whether this node fetches, or another does already.
//!
//! Who leads a flight in this node asks for a lease before he goes to the origin. Where another node
//! holds it, he waits to be told, and what that node stored ends the flight here. Without leases,
//! and where nobody can be asked, each node fetches for itself.

use std::time::Duration;

use forebay_cache::mechanism::{self, Flight, Purpose, Word};

use crate::ask::Ask;
use crate::gateway::Gateway;
use crate::kept::{Kept, KeptEntry, Unfilled};
use crate::seen::Seen;

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
    let (watched, stamp) = seen.watched(ask);
    match gateway.cache().clear_within(flight, &watched, stamp, purpose, limit).await {
        mechanism::Cleared::Go(flight) => Cleared::Go(flight),
        mechanism::Cleared::Elsewhere(entry) => Cleared::Elsewhere(entry),
        mechanism::Cleared::Unshared(flight, remember) => {
            flight.decline(remember);
            Cleared::Unshared
        }
        mechanism::Cleared::Failed(flight, code, pause) => {
            rested(flight, Unfilled::of_code(code), pause)
        }
        mechanism::Cleared::Late(flight) => late(flight, purpose),
    }
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
