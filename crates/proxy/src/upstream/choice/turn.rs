//! One request's turn at a member, from the choice to its end.

use std::sync::Arc;

use http::StatusCode;
use tokio::time::Instant;

use super::Choice;
use super::record::{Access, Failing, Role};
use crate::failure::{FailureKind, FetchFailure};

/// What came of a request to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A connection, so far. It says something only where there was none before: of a probe.
    Reached,
    /// A response's head, with this status.
    Answered(StatusCode),
    /// No connection.
    Unreached,
    /// A connection, and no whole response; the client would be told this status.
    Failed(StatusCode),
    /// Nothing that says anything of the member: the client left, or a bound of ours was met.
    Left,
}

impl Outcome {
    /// What a failure says of the member.
    pub fn of(failure: &FetchFailure) -> Outcome {
        match failure.kind {
            FailureKind::Resolve
            | FailureKind::Connect
            | FailureKind::ConnectTimeout
            | FailureKind::Tls => Outcome::Unreached,
            FailureKind::SendTimeout
            | FailureKind::HeadCut
            | FailureKind::HeadTimeout
            | FailureKind::Malformed
            | FailureKind::BodyCut
            | FailureKind::BodyTimeout
            | FailureKind::Tunnel => Outcome::Failed(failure.status()),
            // A destination that is not allowed is refused each time in the same words.
            FailureKind::Refused
            | FailureKind::PoolFull
            | FailureKind::MemberFull
            | FailureKind::NoMember
            | FailureKind::Unsendable
            | FailureKind::RequestCut => Outcome::Left,
        }
    }
}

/// A request that a member has: it counts there until this is dropped. Dropped before anything
/// was told, it ends as [`Outcome::Left`]; a probe is then free for the next.
#[derive(Debug)]
pub struct Turn {
    choice: Arc<Choice>,
    member: usize,
    began: Instant,
    role: Role,
    verdict: Verdict,
}

/// What was told of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Open,
    /// A good head; the body may still break off.
    Good,
    Bad,
}

impl Turn {
    pub(super) fn begin(choice: Arc<Choice>, member: usize, role: Role, now: Instant) -> Turn {
        choice.seats[member].standing.began();
        Turn { choice, member, began: now, role, verdict: Verdict::Open }
    }

    /// The index of the member.
    pub fn member(&self) -> usize {
        self.member
    }

    /// Whether it is to find out if the member is back.
    pub fn is_probe(&self) -> bool {
        self.role == Role::Probe
    }

    /// Notes what came of it, while the request goes on: a connection, a head, and later perhaps
    /// that the body broke off.
    pub fn tell(&mut self, now: Instant, outcome: Outcome) {
        let terms = &self.choice.terms;
        match outcome {
            Outcome::Reached => self.reached(now),
            Outcome::Answered(status) => {
                let standing = &self.choice.seats[self.member].standing;
                standing.took(now.saturating_duration_since(self.began), now);
                match terms.ejection.statuses.contains(&status) {
                    true => self.failed(Failing::Badly, now),
                    false => self.answered_well(now),
                }
            }
            Outcome::Unreached => self.failed(Failing::Unreached, now),
            Outcome::Failed(status) => match terms.ejection.statuses.contains(&status) {
                true => self.failed(Failing::Badly, now),
                false => self.answered_well(now),
            },
            Outcome::Left => {}
        }
    }

    /// Notes what came of it, and ends it.
    pub fn end(mut self, now: Instant, outcome: Outcome) {
        self.tell(now, outcome);
    }

    /// A member that could not be reached is back as soon as it can be: whoever waits for a slow
    /// answer is not to keep all others out.
    fn reached(&mut self, now: Instant) {
        if self.role == Role::Usual {
            return;
        }
        let standing = &self.choice.seats[self.member].standing;
        match standing.with_record(|record| record.reached(now)) {
            Access::Usual => (self.role, self.began) = (Role::Usual, now),
            Access::Out(..) | Access::Down | Access::Leaving => {}
        }
    }

    fn answered_well(&mut self, now: Instant) {
        self.verdict = Verdict::Good;
        let (began, role) = (self.began, self.role);
        let standing = &self.choice.seats[self.member].standing;
        standing.with_record_if_troubled(|record| record.answered_well(began, role, now));
    }

    fn failed(&mut self, failing: Failing, now: Instant) {
        self.verdict = Verdict::Bad;
        let (terms, jitter) = (&self.choice.terms.ejection, self.choice.dice.draw());
        let standing = &self.choice.seats[self.member].standing;
        let request = (self.began, self.role);
        // A probe that came through, and whose body then breaks off, is one failure more.
        self.role = Role::Usual;
        let cause =
            standing.with_record(|record| record.failed(failing, request, now, terms, jitter));
        if cause.is_some() {
            standing.was_ejected();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let standing = &self.choice.seats[self.member].standing;
        standing.ended();
        let role = self.role;
        match self.verdict {
            Verdict::Open => standing.with_record_if_troubled(|record| record.left(role)),
            Verdict::Good => standing.with_record_if_troubled(|record| record.ended_well()),
            Verdict::Bad => {}
        }
    }
}
