//! The methods: which one among the members that may be asked, each with its share. Who may be
//! asked is not decided here.

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Choice;
use super::scatter::{joined, unit};
use crate::config::Balance;

/// How much more than its part of all requests a member takes of the keys that are its own
/// (Mirrokni, Thorup and Zadimoghaddam: consistent hashing with bounded loads).
const LOAD_MAX: f64 = 1.25;

/// Requests that a member takes of its own keys in any case: with few of them, parts say nothing.
const LOAD_MIN: f64 = 8.0;

/// The part of the first one's cost below which the second of two is the better: a hair's breadth
/// would give everything to one of two that are alike.
const CLEARLY: f64 = 0.9;

/// What is left over from turns past: smooth weighted round robin, as nginx has it. Each turn
/// everybody gets his share, and who has most pays for all.
#[derive(Debug)]
pub(super) struct Wheel(Mutex<Vec<f64>>);

impl Wheel {
    pub(super) fn new(members: usize) -> Wheel {
        Wheel(Mutex::new(vec![0.0; members]))
    }

    fn turn(&self, share: impl Fn(usize) -> f64) -> Option<usize> {
        let mut credits = self.0.lock();
        let (mut all, mut best) = (0.0, None);
        for index in 0..credits.len() {
            let share = share(index);
            if share <= 0.0 {
                continue;
            }
            credits[index] += share;
            all += share;
            if best.is_none_or(|best: usize| credits[index] > credits[best]) {
                best = Some(index);
            }
        }
        credits[best?] -= all;
        best
    }
}

impl Choice {
    /// One of the members whose share is not zero.
    pub(super) fn balanced(
        &self,
        now: Instant,
        key_hash: u64,
        share: impl Fn(usize) -> f64,
    ) -> Option<usize> {
        match self.terms.balance {
            Balance::RoundRobin => self.wheel.turn(share),
            Balance::LeastRequests => self.least_requests(share),
            Balance::PowerOfTwo => self.better_of_two(now, share),
            Balance::Hash => self.owner(key_hash, share),
        }
    }

    /// The one with the fewest requests for its share, but for one that starts slowly: it has few
    /// because it has just come.
    fn least_requests(&self, share: impl Fn(usize) -> f64) -> Option<usize> {
        let least = self.least_of(&share)?;
        if !self.is_passed_over(least, share(least)) {
            return Some(least);
        }
        let others = |index: usize| if index == least { 0.0 } else { share(index) };
        self.least_of(others).or(Some(least))
    }

    /// The one with the fewest requests for its share; those that have equally few take turns.
    fn least_of(&self, share: impl Fn(usize) -> f64) -> Option<usize> {
        let load = |index: usize, share: f64| self.in_flight(index) / share;
        let shares = (0..self.seats.len()).map(|index| (index, share(index)));
        let loads = shares.filter(|(_, share)| *share > 0.0);
        let loads = loads.map(|(index, share)| (index, load(index, share)));
        let (least, load_min) = loads.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
        let equal = |index: usize| {
            let share = share(index);
            if share > 0.0 && load(index, share) <= load_min { share } else { 0.0 }
        };
        self.wheel.turn(equal).or(Some(least))
    }

    /// Whether a member that starts slowly is passed over this time: the more often, the less of
    /// its weight it has yet.
    fn is_passed_over(&self, index: usize, share: f64) -> bool {
        let weight = self.seats[index].weight;
        share < weight && self.dice.draw() > share / weight
    }

    /// The better of two that are drawn by their shares. If the second is not clearly better it is the first, so
    /// that shares hold among equals; and who starts slowly is seldom the second.
    fn better_of_two(&self, now: Instant, share: impl Fn(usize) -> f64) -> Option<usize> {
        let shares = |without: Option<usize>| {
            let shares = (0..self.seats.len()).map(|index| (index, share(index)));
            shares.filter(move |(index, share)| *share > 0.0 && Some(*index) != without)
        };
        let first = self.drawn(shares(None))?;
        let Some(second) = self.drawn(shares(Some(first))) else { return Some(first) };
        if self.is_passed_over(second, share(second)) {
            return Some(first);
        }
        let (count, all) = shares(None).fold((0.0, 0.0), |(n, all), (_, one)| (n + 1.0, all + one));
        // Requests count for less at a member whose share is above the middle one.
        let busy = |index: usize| 1.0 + self.in_flight(index) * (all / count) / share(index);
        let pace = |index: usize| self.seats[index].standing.pace(now);
        let (one, other) = match (pace(first), pace(second)) {
            (Some(one), Some(other)) => (one.beside(other), other.beside(one)),
            // Who has not answered yet is taken to be as fast as the other.
            (None, _) | (_, None) => (1.0, 1.0),
        };
        let is_better = other * busy(second) < one * busy(first) * CLEARLY;
        Some(if is_better { second } else { first })
    }

    fn drawn(&self, shares: impl Iterator<Item = (usize, f64)> + Clone) -> Option<usize> {
        let mut left = self.dice.draw() * shares.clone().map(|(_, share)| share).sum::<f64>();
        let mut last = None;
        for (index, share) in shares {
            last = Some(index);
            left -= share;
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// The owner of a key by weighted rendezvous, among those that are not too busy. A member that
    /// joins or leaves moves its own keys only.
    fn owner(&self, key_hash: u64, share: impl Fn(usize) -> f64) -> Option<usize> {
        let shares = || {
            let shares = (0..self.seats.len()).map(|index| (index, share(index)));
            shares.filter(|(_, share)| *share > 0.0)
        };
        let (all, busy) = shares().fold((0.0, 1.0), |(all, busy), (index, share)| {
            (all + share, busy + self.in_flight(index))
        });
        // Waiting times of as many clocks as there are members, each as fast as its share: the
        // first to ring owns the key, and it is each one's with the probability of its share.
        let wait = |index: usize, share: f64| {
            -unit(joined(key_hash, self.seats[index].identity)).ln() / share
        };
        let has_room = |index: usize, share: f64| {
            self.in_flight(index) < (LOAD_MAX * busy * share / all).ceil().max(LOAD_MIN)
        };
        let first = |only_with_room: &dyn Fn(usize, f64) -> bool| {
            let rings = shares().filter(|(index, share)| only_with_room(*index, *share));
            let rings = rings.map(|(index, share)| (index, wait(index, share)));
            rings.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(index, _)| index)
        };
        first(&has_room).or_else(|| first(&|_, _| true))
    }

    fn in_flight(&self, index: usize) -> f64 {
        f64::from(self.seats[index].standing.in_flight())
    }
}
