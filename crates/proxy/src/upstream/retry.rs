//! Which requests may be tried on another member, and how many: pure rules, told the time.
//!
//! What reached nobody may go anywhere (RFC 9110 section 9.2.2); what may have reached somebody only
//! if it is idempotent, and within a budget, so that an upstream that is dying is not stormed; and
//! nothing once a byte of a response came.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use super::pool::Reused;
use crate::failure::FailureKind;

/// How long a request counts towards the retries that it allows.
const WINDOW: Duration = Duration::from_secs(10);
/// Parts of the window, which leave one by one.
const SLOTS: usize = 10;
/// One retry for so many requests: 20 %.
const REQUESTS_A_RETRY: u64 = 5;
/// Retries in a window however few the requests are.
const RETRIES_MIN: u64 = 10;

/// How far a request has come that got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Not one byte of it was written.
    Nobody,
    /// Some of it was written, and not one byte came back.
    Silence,
    /// Something came back.
    Somebody,
}

/// Whether the request is still, or again, as it was before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It is.
    Whole,
    /// Its body is gone.
    Spent,
}

/// What is known of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempted {
    /// How far it came.
    pub(super) reached: Reached,
    /// What is left of it.
    pub(super) left: Left,
    /// Whether its connection had been idle, and may have died of old age.
    pub(super) reused: Reused,
}

/// Where a request may be sent again; if anywhere, it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// To the same member, for its connection had only died of old age; or to another.
    Here(Cost),
    /// To another member.
    Elsewhere(Cost),
    /// Nowhere.
    No,
}

impl Again {
    /// The same for a request that was sent twice here, and has cost this already.
    pub(super) fn elsewhere(self, before: Cost) -> Again {
        match (self, before) {
            (Again::No, _) => Again::No,
            (Again::Here(_) | Again::Elsewhere(_), Cost::One) => Again::Elsewhere(Cost::One),
            (Again::Here(cost) | Again::Elsewhere(cost), Cost::Nothing) => Again::Elsewhere(cost),
        }
    }
}

/// Whether a retry burdens a member with what another may have begun to work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// It does not: nobody has seen the request.
    Nothing,
    /// It may: the budget says whether it is made.
    One,
}

/// Where a request that failed may be sent again.
pub(super) fn after_failure(kind: FailureKind, tried: Attempted, method: &Method) -> Again {
    let cost = match (tried.reached, tried.left) {
        (Reached::Nobody, Left::Whole) => Cost::Nothing,
        (Reached::Silence, Left::Whole) if method.is_idempotent() => Cost::One,
        (Reached::Nobody | Reached::Silence | Reached::Somebody, _) => return Again::No,
    };
    match kind {
        FailureKind::HeadCut if tried.reused == Reused::Yes => Again::Here(cost),
        FailureKind::HeadCut
        | FailureKind::Resolve
        | FailureKind::Refused
        | FailureKind::Connect
        | FailureKind::ConnectTimeout
        | FailureKind::Tls
        | FailureKind::PoolFull
        | FailureKind::MemberFull
        | FailureKind::SendTimeout
        | FailureKind::HeadTimeout => Again::Elsewhere(cost),
        FailureKind::NoMember
        | FailureKind::Unsendable
        | FailureKind::RequestCut
        | FailureKind::Malformed
        | FailureKind::BodyCut
        | FailureKind::BodyTimeout
        | FailureKind::Tunnel => Again::No,
    }
}

/// Whether another member is asked in place of an answer with this status.
pub(super) fn after_answer(
    status: StatusCode,
    retry_statuses: &[StatusCode],
    method: &Method,
) -> Again {
    match retry_statuses.contains(&status) && method.is_idempotent() {
        true => Again::Elsewhere(Cost::One),
        false => Again::No,
    }
}

/// Whether the budget has a retry left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    /// It had one, which is spent.
    Yes,
    /// There are too many already.
    No,
}

/// The retries that an upstream may make: a share of its requests in a sliding window, and a few.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    slots: [Slot; SLOTS],
    /// The slot of now, and when it began.
    at: usize,
    since: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    requests: u64,
    retries: u64,
}

impl Budget {
    /// Nothing asked yet.
    pub(super) fn new(now: Instant) -> Self {
        Budget { slots: Default::default(), at: 0, since: now }
    }

    /// Counts a request.
    pub(super) fn asked(&mut self, now: Instant) {
        self.slot(now).requests += 1;
    }

    /// Takes a retry, if there is one.
    pub(super) fn spend(&mut self, now: Instant) -> Spent {
        self.slot(now);
        let (requests, retries) = self.slots.iter().fold((0, 0), |(requests, retries), slot| {
            (requests + slot.requests, retries + slot.retries)
        });
        if retries >= RETRIES_MIN.max(requests / REQUESTS_A_RETRY) {
            return Spent::No;
        }
        self.slot(now).retries += 1;
        Spent::Yes
    }

    /// The slot of now; those that are over are emptied.
    fn slot(&mut self, now: Instant) -> &mut Slot {
        let span = WINDOW / SLOTS as u32;
        let mut passed = 0;
        while now.saturating_duration_since(self.since) >= span && passed < SLOTS {
            self.at = (self.at + 1) % SLOTS;
            self.slots[self.at] = Slot::default();
            self.since += span;
            passed += 1;
        }
        if passed == SLOTS {
            self.since = now;
        }
        &mut self.slots[self.at]
    }
}

#[cfg(test)]
mod tests;
