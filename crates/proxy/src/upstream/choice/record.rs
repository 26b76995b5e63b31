//! What is known of one member's trouble, and what follows from it: pure, told the time.

use std::time::Duration;

use tokio::time::Instant;

use super::LAST_RESORT_PAUSE;
use crate::config::Ejection;

/// What health checks and routes say of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It may be asked.
    #[default]
    Up,
    /// A health check found it dead: it is not asked.
    Down,
    /// It is to leave: it ends what it has, and gets nothing new, whatever is said later.
    Draining,
}

/// Why a member is out of the usual choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It could not be reached, fewer times in a row than the breaker bears: others go first.
    Rest,
    /// It could not be reached, too many times in a row: it is only probed.
    Breaker,
    /// It answers, and failed too many times in a row: it is only probed, unless too many are out.
    Ejection,
}

/// How a request to a member failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    /// No connection came about.
    Unreached,
    /// It came to a connection, and to no good.
    Badly,
}

/// As what a request goes to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// As any other.
    Usual,
    /// As the one that finds out whether it is back.
    Probe,
}

/// Whether a member may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// In the usual choice.
    Usual,
    /// Out of it for this cause.
    Out(Cause, Door),
    /// Not before a health check finds it well.
    Down,
    /// Never again.
    Leaving,
}

/// Whether a member that is out may be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Its time is over.
    Due,
    /// From then on, if there is nobody else.
    From(Instant),
    /// A probe is under way.
    Taken,
}

/// Whether a probe may come before a member's time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Others are there.
    None,
    /// Nobody else is.
    LastResort,
}

/// One member's trouble; a new record is that of a member without any.
#[derive(Debug, Default)]
pub(super) struct Record {
    health: Health,
    /// In a row.
    failures: u32,
    out: Option<Out>,
    /// How often it was out since it was last well for long.
    repetitions: u32,
    returned_at: Option<Instant>,
    /// Since when it gets more and more, up to its share.
    slow_from: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    cause: Cause,
    since: Instant,
    until: Instant,
    /// When it may be probed if there is nobody else.
    last_resort_at: Instant,
    probe: Probe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    None,
    UnderWay,
}

/// The part of its share that a member begins with when it comes back.
const SLOW_SHARE: f64 = 0.1;

/// Doublings of the time that a member is out; the longest time cuts them off before.
const DOUBLINGS_MAX: u32 = 16;

impl Record {
    /// That of a member that joins others: it begins slowly.
    pub(super) fn of_newcomer(now: Instant) -> Record {
        Record { slow_from: Some(now), ..Record::default() }
    }

    /// Whether there is nothing to say of it.
    pub(super) fn is_blank(&self) -> bool {
        self.health == Health::Up
            && self.failures == 0
            && self.out.is_none()
            && self.slow_from.is_none()
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// Why and until when it is out.
    pub(super) fn out(&self) -> Option<(Cause, Instant)> {
        self.out.map(|out| (out.cause, out.until))
    }

    pub(super) fn access(&self, now: Instant) -> Access {
        match (self.health, self.out) {
            (Health::Down, _) => Access::Down,
            (Health::Draining, _) => Access::Leaving,
            (Health::Up, None) => Access::Usual,
            (Health::Up, Some(out)) => Access::Out(out.cause, out.door(now)),
        }
    }

    /// The part of its share that it gets, growing evenly after it came back.
    pub(super) fn warmth(&mut self, now: Instant, slow_start: Duration) -> f64 {
        let Some(from) = self.slow_from else { return 1.0 };
        let passed = now.saturating_duration_since(from);
        if passed >= slow_start {
            self.slow_from = None;
            return 1.0;
        }
        SLOW_SHARE + (1.0 - SLOW_SHARE) * passed.as_secs_f64() / slow_start.as_secs_f64()
    }

    /// Begins a probe, if one may begin.
    pub(super) fn begin_probe(&mut self, now: Instant, need: Need) -> Option<Role> {
        let out = self.out.as_mut().filter(|_| self.health == Health::Up)?;
        let may = match (out.door(now), need) {
            (Door::Due, _) => true,
            (Door::From(at), Need::LastResort) => at <= now,
            (Door::From(_), Need::None) | (Door::Taken, _) => false,
        };
        may.then(|| {
            out.probe = Probe::UnderWay;
            Role::Probe
        })
    }

    /// A request ended without a word on the member.
    pub(super) fn left(&mut self, role: Role) {
        match (role, &mut self.out) {
            (Role::Probe, Some(out)) => out.probe = Probe::None,
            (Role::Probe, None) | (Role::Usual, _) => {}
        }
    }

    /// A probe came to a connection; how the member stands after that.
    pub(super) fn reached(&mut self, now: Instant) -> Access {
        match self.out.map(|out| out.cause) {
            Some(cause @ (Cause::Rest | Cause::Breaker)) => self.come_back(cause, now),
            Some(Cause::Ejection) | None => {}
        }
        self.access(now)
    }

    /// A good head came. It counts for a member that is out only if the request is younger than
    /// that; and for one that is not, only when the body has come too: see [`Record::ended_well`].
    pub(super) fn answered_well(&mut self, began: Instant, role: Role, now: Instant) {
        let Some(out) = self.out else { return };
        if role == Role::Probe || began >= out.since {
            self.come_back(out.cause, now);
        }
    }

    /// An exchange came to a good end.
    pub(super) fn ended_well(&mut self) {
        if self.out.is_none() {
            self.failures = 0;
        }
    }

    /// A request failed. `Some` if the member is out from now on for a cause that it was not out
    /// for, or once more. `jitter` is 0 to 1.
    pub(super) fn failed(
        &mut self,
        failing: Failing,
        request: (Instant, Role),
        now: Instant,
        terms: &Ejection,
        jitter: f64,
    ) -> Option<Cause> {
        let (began, role) = request;
        if self.out.is_none() && self.returned_at.is_some_and(|at| began < at) {
            // It tells of the time before.
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        self.heed_connection(failing, request);
        let cause = match (failing, self.failures >= terms.failures) {
            (Failing::Unreached, false) => Some(Cause::Rest),
            (Failing::Unreached, true) => Some(Cause::Breaker),
            (Failing::Badly, true) => Some(Cause::Ejection),
            (Failing::Badly, false) => None,
        };
        match (&mut self.out, role) {
            (None, _) => {}
            (Some(out), Role::Probe) => {
                out.probe = Probe::None;
                if now < out.until {
                    out.last_resort_at = now + pause(terms);
                    return None;
                }
            }
            (Some(out), Role::Usual) => match (out.cause, cause) {
                (Cause::Rest, _) | (Cause::Ejection, Some(Cause::Breaker)) => {}
                (Cause::Ejection | Cause::Breaker, _) => return None,
            },
        }
        let was = self.out.map(|out| out.cause);
        let cause = cause.or(was)?;
        self.leave(cause, now, terms, jitter);
        Some(cause)
    }

    /// A member that answers badly can be reached.
    fn heed_connection(&mut self, failing: Failing, (began, role): (Instant, Role)) {
        let is_newer = |out: &Out| role == Role::Probe || began >= out.since;
        let Some(out) = self.out.filter(is_newer) else { return };
        match (failing, out.cause) {
            (Failing::Badly, Cause::Rest | Cause::Breaker) => self.out = None,
            (Failing::Badly, Cause::Ejection) | (Failing::Unreached, _) => {}
        }
    }

    /// Notes what a health check or a route says. A check that reaches a member ends its rest; of
    /// how it answers other requests the check knows nothing.
    pub(super) fn mark(&mut self, health: Health, now: Instant) {
        let was = self.health;
        if was != Health::Draining {
            self.health = health;
        }
        match (was, health) {
            (Health::Down, Health::Up) => self.come_back(Cause::Breaker, now),
            (Health::Up, Health::Up) => match self.out.map(|out| out.cause) {
                Some(cause @ (Cause::Rest | Cause::Breaker)) => self.come_back(cause, now),
                Some(Cause::Ejection) | None => {}
            },
            (Health::Draining, _) | (_, Health::Down | Health::Draining) => {}
        }
    }

    fn leave(&mut self, cause: Cause, now: Instant, terms: &Ejection, jitter: f64) {
        if self.returned_at.is_some_and(|at| now >= at + terms.time_max) {
            self.repetitions = 0;
        }
        let time = match cause {
            Cause::Rest => terms.time,
            Cause::Breaker | Cause::Ejection => {
                let doubled = 1 << self.repetitions.min(DOUBLINGS_MAX);
                self.repetitions = self.repetitions.saturating_add(1);
                // From nine to eleven tenths, so that not all nodes probe at once.
                let time = terms.time.saturating_mul(doubled).min(terms.time_max);
                time.mul_f64(0.9 + 0.2 * jitter).min(terms.time_max)
            }
        };
        match cause {
            Cause::Rest => {}
            Cause::Breaker | Cause::Ejection => self.slow_from = None,
        }
        self.out = Some(Out {
            cause,
            since: now,
            until: now + time,
            last_resort_at: now + pause(terms),
            probe: Probe::None,
        });
    }

    fn come_back(&mut self, cause: Cause, now: Instant) {
        self.out = None;
        self.failures = 0;
        self.returned_at = Some(now);
        match cause {
            Cause::Rest => {}
            Cause::Breaker | Cause::Ejection => self.slow_from = Some(now),
        }
    }
}

impl Out {
    fn door(&self, now: Instant) -> Door {
        match self.probe {
            Probe::UnderWay => Door::Taken,
            Probe::None if now >= self.until.max(self.last_resort_at) => Door::Due,
            Probe::None => Door::From(self.last_resort_at),
        }
    }
}

/// The pause between two probes with nobody else to ask.
fn pause(terms: &Ejection) -> Duration {
    LAST_RESORT_PAUSE.min(terms.time)
}
