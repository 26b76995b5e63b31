//! All short histories of a small cluster, and long ones of a larger by chance.

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::{Flaw, Left, Step, World};

/// A history that must not be.
#[derive(Debug)]
struct Found {
    history: Vec<Step>,
    what: String,
}

/// Tries all histories up to a length. Says how many worlds there are.
struct Search {
    /// The shortest history that led to a world.
    met: HashMap<u64, usize>,
    history: Vec<Step>,
    steps_max: usize,
}

impl Search {
    fn run(world: &World, steps_max: usize) -> Result<usize, Found> {
        let mut search = Self { met: HashMap::new(), history: Vec::new(), steps_max };
        search.go_on(world)?;
        Ok(search.met.len())
    }

    fn go_on(&mut self, world: &World) -> Result<(), Found> {
        let len = self.history.len();
        let met = self.met.entry(world.key()).or_insert(usize::MAX);
        if *met <= len {
            return Ok(());
        }
        *met = len;
        if let Some(what) = world.violation() {
            return Err(Found { history: self.history.clone(), what });
        }
        if len == self.steps_max {
            return Ok(());
        }
        for step in world.steps() {
            let mut next = world.clone();
            next.step(step);
            self.history.push(step);
            self.go_on(&next)?;
            self.history.pop();
        }
        Ok(())
    }
}

fn by_chance(seed: u64, steps: usize, flaw: Flaw) -> Result<(), Found> {
    let mut chance = SmallRng::seed_from_u64(seed);
    let left = Left { ticks: u32::MAX, purges: u32::MAX, fetches: u32::MAX, faults: u32::MAX };
    let mut world = World::new(3, 2, left, flaw);
    let mut history = Vec::new();
    for _ in 0..steps {
        let steps = world.steps();
        let step = loop {
            let step = steps[chance.random_range(0..steps.len())];
            if chance.random_bool(likely(step)) {
                break step;
            }
        };
        world.step(step);
        history.push(step);
        if let Some(what) = world.violation() {
            return Err(Found { history, what });
        }
    }
    Ok(())
}

// Faults are rare, or nothing else would come to pass.
fn likely(step: Step) -> f64 {
    match step {
        Step::Ask(_) | Step::Hear(_) | Step::Take(_) | Step::Renew(_) => 1.0,
        Step::Begin(_) | Step::End(_) | Step::Look(_) | Step::Join(_) => 0.5,
        Step::PurgeOurs(_) | Step::PurgeOthers | Step::Tick => 0.4,
        Step::Cut(_) | Step::Crash(_) | Step::FailOver => 0.1,
        Step::Trim | Step::Empty => 0.05,
    }
}

#[test]
fn no_short_history_of_two_nodes_serves_what_was_purged() {
    let left = Left { ticks: 2, purges: 2, fetches: 1, faults: 1 };
    let worlds = Search::run(&World::new(2, 1, left, Flaw::None), steps_max()).unwrap();
    println!("{worlds} worlds");
    assert!(worlds > 10_000, "{worlds}");
}

/// Longer ones on demand: `FOREBAY_STEPS=9 cargo test --release -p forebay-cache no_short_history`.
fn steps_max() -> usize {
    let asked = std::env::var("FOREBAY_STEPS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(7)
}

/// More of them on demand: `FOREBAY_SEEDS=0..10000 cargo test -p forebay-cache no_long_history`.
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("FOREBAY_SEEDS").ok();
    let parsed = asked.as_deref().and_then(|asked| {
        let (from, to) = asked.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    parsed.unwrap_or(0..60)
}

#[test]
fn no_long_history_of_three_nodes_serves_what_was_purged() {
    for seed in seeds() {
        let found = by_chance(seed, 1_000, Flaw::None);
        assert!(found.is_ok(), "seed {seed}: {found:?}");
    }
}

#[test]
fn each_broken_rule_is_found_out() {
    for flaw in [
        Flaw::PreviousUnchecked,
        Flaw::BackwardsUnnoticed,
        Flaw::SignsAlike,
        Flaw::HeardWhenAnswered,
        Flaw::EpochAtEnd,
        Flaw::NoJournal,
        Flaw::ReturnsAtOnce,
        Flaw::AcknowledgedWhenAsked,
        Flaw::PositionUnchecked,
        Flaw::DoubtUnheeded,
        Flaw::UnprovenServed,
    ] {
        let found = (0..2_000).find_map(|seed| by_chance(seed, 1_000, flaw).err());
        let found = found.unwrap_or_else(|| panic!("nobody notices {flaw:?}"));
        println!("{flaw:?}: {} steps: {}", found.history.len(), found.what);
    }
}
