//! Which member of an upstream is asked next. It knows how each one stands, is told the time and
//! what came of every request, and does no I/O.
//!
//! A member is out of the usual choice for one of three causes, see [`Cause`]. It comes back by a
//! probe: one request at a time, the first when its time is over. With nobody else to ask, a
//! member that is out is probed once in [`LAST_RESORT_PAUSE`], however long it is still to be out:
//! so an only member is never refused for long, and never hammered.

mod balance;
mod record;
mod scatter;
mod standing;
mod turn;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use self::record::{Cause, Health};
pub use self::scatter::digest;
pub use self::standing::{MemberStanding, State};
pub use self::turn::{Outcome, Turn};

use self::balance::Wheel;
use self::record::{Access, Door, Need, Record, Role};
use self::scatter::Dice;
use self::standing::{Seat, Standing};
use crate::config::{Balance, Ejection};

/// The pause between two probes of a member that is out, with nobody else to ask; it is shorter
/// where the first ejection is.
pub const LAST_RESORT_PAUSE: Duration = Duration::from_secs(1);

/// The rules by which one upstream's members are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoiceTerms {
    /// The method.
    pub balance: Balance,
    /// When a member is left out.
    pub ejection: Ejection,
    /// How long a member that came back gets less than its share, from a tenth up.
    pub slow_start: Duration,
}

/// The standing of the members of one upstream, told apart by their index in the order in which
/// they were given. Whoever is chosen holds a [`Turn`], and tells it what came of the request.
#[derive(Debug)]
pub struct Choice {
    terms: ChoiceTerms,
    seats: Box<[Seat]>,
    wheel: Wheel,
    dice: Dice,
}

/// That nobody may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nobody {
    /// When a member may be probed; `None` where only a health check or a new route brings one
    /// back, or where this request has tried all.
    pub probe_due: Option<Instant>,
}

/// The members that one request has tried already; it bounds nothing, its caller does.
#[derive(Clone, Debug, Default)]
pub struct Tried(Vec<usize>);

/// What one look at all members found.
#[derive(Default)]
struct Survey {
    /// Members in the usual choice.
    present: usize,
    /// Members that are out or down.
    out: usize,
    /// One that may be probed because its time is over.
    due: Option<usize>,
}

impl Tried {
    /// Adds one.
    pub fn add(&mut self, member: usize) {
        self.0.push(member);
    }

    /// Whether it was tried.
    pub fn holds(&self, member: usize) -> bool {
        self.0.contains(&member)
    }

    /// How many were.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Choice {
    /// The choice among members, each with its name and weight. `seed` is where its randomness
    /// begins.
    pub fn new<'a>(
        terms: ChoiceTerms,
        members: impl IntoIterator<Item = (&'a str, u32)>,
        seed: u64,
        now: Instant,
    ) -> Arc<Choice> {
        let blank =
            |(identity, weight)| Seat::new(identity, weight, Standing::new(now, Record::default()));
        Choice::of(terms, identified(members).map(blank).collect(), Dice::new(seed))
    }

    /// The choice after a change of members or terms. A member keeps its standing by its name; one
    /// that is new, or had begun to leave, begins slowly.
    pub fn succeeded_by<'a>(
        &self,
        terms: ChoiceTerms,
        members: impl IntoIterator<Item = (&'a str, u32)>,
        now: Instant,
    ) -> Arc<Choice> {
        let seat = |(identity, weight)| {
            let known = self.seats.iter().find(|seat| seat.identity == identity);
            let stays = |standing: &Arc<Standing>| {
                standing.access(now, self.terms.slow_start).0 != Access::Leaving
            };
            let known = known.map(|seat| seat.standing.clone()).filter(stays);
            let new = || Standing::new(now, Record::of_newcomer(now));
            Seat::new(identity, weight, known.unwrap_or_else(new))
        };
        Choice::of(terms, identified(members).map(seat).collect(), self.dice.child())
    }

    fn of(terms: ChoiceTerms, seats: Box<[Seat]>, dice: Dice) -> Arc<Choice> {
        Arc::new(Choice { terms, wheel: Wheel::new(seats.len()), seats, dice })
    }

    /// Whether these are its terms.
    pub fn is_on(&self, terms: &ChoiceTerms) -> bool {
        self.terms == *terms
    }

    /// A member to be asked now; it has the request until the [`Turn`] ends. `key_hash` matters to
    /// [`Balance::Hash`] alone. It is never one that was tried, drains or is down.
    pub fn choose(
        self: &Arc<Self>,
        now: Instant,
        key_hash: u64,
        tried: &Tried,
    ) -> Result<Turn, Nobody> {
        let slow_start = self.terms.slow_start;
        if let [only] = &*self.seats
            && tried.is_empty()
            && only.standing.access(now, slow_start).0 == Access::Usual
        {
            return Ok(self.turn(0, Role::Usual, now));
        }
        let survey = self.survey(now, tried);
        if tried.is_empty()
            && let Some(probe) = survey.due.and_then(|index| self.probe(index, now, Need::None))
        {
            return Ok(probe);
        }
        let usual = self.among(now, key_hash, tried, |access| match access {
            Access::Usual => true,
            Access::Out(Cause::Ejection, _) => self.is_in_panic(&survey),
            Access::Out(Cause::Rest | Cause::Breaker, _) | Access::Down | Access::Leaving => false,
        });
        let resting = || {
            self.among(now, key_hash, tried, |access| match access {
                Access::Out(Cause::Rest, _) => true,
                Access::Out(Cause::Breaker | Cause::Ejection, _) => false,
                Access::Usual | Access::Down | Access::Leaving => false,
            })
        };
        match usual.or_else(resting) {
            Some(index) => Ok(self.turn(index, Role::Usual, now)),
            None => self.last_resort(now, tried),
        }
    }

    /// Notes what a health check or a change of routes says of a member. It may be told again and
    /// again: a check that reaches a member ends its rest.
    pub fn mark(&self, member: usize, health: Health, now: Instant) {
        let Some(seat) = self.seats.get(member) else { return };
        match health {
            Health::Up => seat.standing.with_record_if_troubled(|record| record.mark(health, now)),
            Health::Down | Health::Draining => {
                seat.standing.with_record(|record| record.mark(health, now));
            }
        }
    }

    /// Whether a key's hash matters.
    pub fn chooses_by_key(&self) -> bool {
        self.seats.len() > 1 && self.terms.balance == Balance::Hash
    }

    /// How each member stands.
    pub fn snapshot(&self, now: Instant) -> Vec<MemberStanding> {
        let told = |seat: &Seat| seat.standing.told(seat.weight, now, self.terms.slow_start);
        self.seats.iter().map(told).collect()
    }

    fn survey(&self, now: Instant, tried: &Tried) -> Survey {
        let mut survey = Survey::default();
        for (index, access) in self.accesses(now) {
            match access {
                Access::Usual => survey.present += 1,
                Access::Down => survey.out += 1,
                Access::Leaving => {}
                Access::Out(_, door) => {
                    survey.out += 1;
                    if door == Door::Due && !tried.holds(index) {
                        survey.due = survey.due.or(Some(index));
                    }
                }
            }
        }
        survey
    }

    fn accesses(&self, now: Instant) -> impl Iterator<Item = (usize, Access)> {
        let slow_start = self.terms.slow_start;
        let seats = self.seats.iter().enumerate();
        seats.map(move |(index, seat)| (index, seat.standing.access(now, slow_start).0))
    }

    /// Whether so many are out that those that still answer are asked again, however they answer:
    /// the rest could not bear it. An only member has no rest.
    fn is_in_panic(&self, survey: &Survey) -> bool {
        let all = survey.present + survey.out;
        all == 1 || survey.out as f64 > self.terms.ejection.share_max * all as f64
    }

    fn among(
        &self,
        now: Instant,
        key_hash: u64,
        tried: &Tried,
        may: impl Fn(Access) -> bool,
    ) -> Option<usize> {
        self.balanced(now, key_hash, |index| {
            let seat = &self.seats[index];
            let (access, warmth) = seat.standing.access(now, self.terms.slow_start);
            if may(access) && !tried.holds(index) { seat.weight * warmth } else { 0.0 }
        })
    }

    /// A probe of the member that may be probed first, with nobody else to ask.
    fn last_resort(self: &Arc<Self>, now: Instant, tried: &Tried) -> Result<Turn, Nobody> {
        let due = |(index, access)| match access {
            Access::Out(_, Door::Due) => Some((now, index)),
            Access::Out(_, Door::From(at)) => Some((at.max(now), index)),
            Access::Out(_, Door::Taken) => Some((now + LAST_RESORT_PAUSE, index)),
            Access::Usual | Access::Down | Access::Leaving => None,
        };
        let untried = self.accesses(now).filter(|(index, _)| !tried.holds(*index));
        let Some((at, index)) = untried.filter_map(due).min() else {
            return Err(Nobody { probe_due: None });
        };
        let probe = if at <= now { self.probe(index, now, Need::LastResort) } else { None };
        probe.ok_or(Nobody { probe_due: Some(at.max(now)) })
    }

    fn probe(self: &Arc<Self>, index: usize, now: Instant, need: Need) -> Option<Turn> {
        let role =
            self.seats[index].standing.with_record(|record| record.begin_probe(now, need))?;
        Some(self.turn(index, role, now))
    }

    fn turn(self: &Arc<Self>, index: usize, role: Role, now: Instant) -> Turn {
        Turn::begin(self.clone(), index, role, now)
    }
}

/// Members by their names, each with its weight. One that is named twice is two.
fn identified<'a>(
    members: impl IntoIterator<Item = (&'a str, u32)>,
) -> impl Iterator<Item = (u64, u32)> {
    let mut times = HashMap::new();
    members.into_iter().map(move |(name, weight)| {
        let before: &mut u64 = times.entry(name).or_default();
        let identity = digest(name.as_bytes()).wrapping_add(*before);
        *before += 1;
        (identity, weight)
    })
}

#[cfg(test)]
mod tests;
