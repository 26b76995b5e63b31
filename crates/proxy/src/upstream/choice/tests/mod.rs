//! Members by simulation: requests come at random on a virtual clock, each member answers as the
//! test says, and what it was sent is counted.

mod balancing;
mod ejecting;
mod hashing;
mod properties;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use http::StatusCode;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Where all randomness of these tests begins.
const SEED: u64 = 0x0f0e_bea1;

/// What a member does with a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Answers so long after it was sent.
    Answers(Duration),
    /// Works so long on it, after all that came before.
    Works(Duration),
    /// Says 503 at once.
    Fails,
    /// Refuses the connection.
    Refuses,
    /// Lets the connection wait so long, until it is given up.
    Swallows(Duration),
}

/// An upstream, its clock and what happened.
struct World {
    choice: Arc<Choice>,
    began: Instant,
    now: Instant,
    dice: StdRng,
    /// Requests under way by their end.
    flying: BinaryHeap<Reverse<(Instant, usize)>>,
    turns: Vec<Option<(Turn, Outcome)>>,
    busy_until: Vec<Instant>,
    /// How often each member was sent a request.
    sent: Vec<usize>,
    in_flight_max: Vec<u32>,
    latencies: Vec<Duration>,
    refused: usize,
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn terms(balance: Balance) -> ChoiceTerms {
    ChoiceTerms { balance, ejection: Ejection::default(), slow_start: Duration::ZERO }
}

impl World {
    fn of(terms: ChoiceTerms, weights: &[u32]) -> World {
        let names: Vec<String> =
            (0..weights.len()).map(|index| format!("10.0.0.{index}")).collect();
        let members = names.iter().map(String::as_str).zip(weights.iter().copied());
        let now = Instant::now();
        let count = weights.len();
        World {
            choice: Choice::new(terms, members, SEED, now),
            began: now,
            now,
            dice: StdRng::seed_from_u64(SEED),
            flying: BinaryHeap::new(),
            turns: Vec::new(),
            busy_until: vec![now; count],
            sent: vec![0; count],
            in_flight_max: vec![0; count],
            latencies: Vec::new(),
            refused: 0,
        }
    }

    /// Requests at random, so many a second, each with a key of its own.
    fn run(&mut self, per_second: f64, time: Duration, does: impl Fn(usize, Duration) -> Does) {
        let end = self.now + time;
        loop {
            let pause = -self.dice.random_range(f64::EPSILON..1.0).ln() / per_second;
            let next = self.now + Duration::from_secs_f64(pause);
            self.settle_until(next.min(end));
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
            self.ask(&does);
        }
    }

    /// One request, tried again elsewhere while it fails, on three members at most.
    fn ask(&mut self, does: &impl Fn(usize, Duration) -> Does) {
        let key_hash = self.dice.random();
        let mut tried = Tried::default();
        while tried.len() < 3 {
            let Ok(turn) = self.choice.choose(self.now, key_hash, &tried) else { break };
            let member = turn.member();
            assert!(!tried.holds(member), "it was tried");
            self.sent[member] += 1;
            match does(member, self.now - self.began) {
                Does::Answers(latency) => {
                    return self.fly(turn, self.now + latency, Outcome::Answered(StatusCode::OK));
                }
                Does::Swallows(time) => {
                    return self.fly(turn, self.now + time, Outcome::Unreached);
                }
                Does::Works(time) => {
                    let end = self.busy_until[member].max(self.now) + time;
                    self.busy_until[member] = end;
                    return self.fly(turn, end, Outcome::Answered(StatusCode::OK));
                }
                Does::Fails => {
                    turn.end(self.now, Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE));
                }
                Does::Refuses => turn.end(self.now, Outcome::Unreached),
            }
            tried.add(member);
        }
        self.refused += 1;
    }

    fn fly(&mut self, turn: Turn, end: Instant, outcome: Outcome) {
        let member = turn.member();
        let in_flight = self.choice.snapshot(self.now)[member].in_flight;
        self.in_flight_max[member] = self.in_flight_max[member].max(in_flight);
        self.latencies.push(end - self.now);
        self.flying.push(Reverse((end, self.turns.len())));
        self.turns.push(Some((turn, outcome)));
    }

    /// Ends what ends until then.
    fn settle_until(&mut self, until: Instant) {
        while let Some(Reverse((end, index))) = self.flying.peek().copied()
            && end <= until
        {
            self.flying.pop();
            if let Some((turn, outcome)) = self.turns[index].take() {
                turn.end(end, outcome);
            }
        }
    }

    /// What each member was sent since the last look, as parts of the whole.
    fn take_parts(&mut self) -> Vec<f64> {
        let all: usize = self.sent.iter().sum();
        let parts = self.sent.iter().map(|sent| *sent as f64 / all.max(1) as f64).collect();
        self.sent.fill(0);
        parts
    }

    fn take_mean_latency(&mut self) -> Duration {
        let all: Duration = self.latencies.iter().sum();
        let count = u32::try_from(self.latencies.len()).unwrap().max(1);
        self.latencies.clear();
        all / count
    }

    fn state(&self, member: usize) -> State {
        self.choice.snapshot(self.now)[member].state
    }
}

/// That each is within `slack` of what was wanted.
#[track_caller]
fn assert_near(found: &[f64], wanted: &[f64], slack: f64) {
    assert_eq!(found.len(), wanted.len());
    let is_near = found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() <= slack);
    assert!(is_near, "{found:?} is not {wanted:?}, seed {SEED:#x}");
}
