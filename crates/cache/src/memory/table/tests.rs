use std::cell::Cell;
use std::collections::HashMap;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use xxhash_rust::xxh3::xxh3_64;

use super::*;

/// A value that says which it is, and how often it was used.
struct Number(u64, Cell<u32>);

impl Counted for Number {
    fn uses(&self) -> u32 {
        self.1.get()
    }
}

/// A table whose keys are numbers.
struct Numbers(Table<Number>);

impl Numbers {
    fn of(capacity: u64) -> Self {
        Self(Table::new(capacity))
    }

    fn get(&self, number: u64) -> Option<u64> {
        let (hash, key) = hashed(number);
        let found = self.0.find(hash, key.as_bytes())?;
        found.1.set(found.1.get() + 1);
        Some(found.0)
    }

    /// What was replaced, and which keys were driven out.
    fn insert(&mut self, number: u64, value: u64, weight: u32) -> (Option<u64>, Vec<Key>) {
        let (hash, key) = hashed(number);
        let dropped = self.0.insert(hash, &key, Number(value, Cell::new(0)), weight);
        let evicted = dropped.evicted.into_iter().map(|(key, _)| key).collect();
        (dropped.replaced.map(|value| value.0), evicted)
    }

    fn remove(&mut self, number: u64) -> Option<u64> {
        let (hash, key) = hashed(number);
        self.0.remove(hash, key.as_bytes()).map(|value| value.0)
    }

    /// Hits of a hundred, where each miss is followed by an insert.
    fn percent(&mut self, trace: impl IntoIterator<Item = u64>) -> f64 {
        let (mut hits, mut all) = (0, 0);
        for number in trace {
            all += 1;
            match self.get(number) {
                Some(_) => hits += 1,
                None => drop(self.insert(number, number, 1)),
            }
        }
        f64::from(hits) * 100.0 / f64::from(all)
    }
}

fn hashed(number: u64) -> (u32, Key) {
    let key = number.to_be_bytes();
    (xxh3_64(&key) as u32, Key::from(&key[..]))
}

#[derive(Clone, Debug)]
enum Step {
    Get(u64),
    Insert(u64, u32),
    Remove(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..40_u64).prop_map(Step::Get),
        (0..40_u64, 0..400_u32).prop_map(|(number, weight)| Step::Insert(number, weight)),
        (0..40_u64).prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    // Weights up to more than the table bears.
    #[test]
    fn it_holds_what_was_inserted_and_did_not_go_and_weighs_that_much(
        steps in steps(),
        capacity in 0..390_u64,
    ) {
        let mut table = Numbers::of(capacity);
        let mut oracle: HashMap<u64, (u64, u32)> = HashMap::new();
        for (at, step) in (0..).zip(steps) {
            match step {
                Step::Get(number) => {
                    prop_assert_eq!(table.get(number), oracle.get(&number).map(|held| held.0));
                }
                Step::Insert(number, weight) => {
                    let (replaced, evicted) = table.insert(number, at, weight);
                    let before = oracle.insert(number, (at, weight));
                    prop_assert_eq!(replaced, before.map(|held| held.0));
                    for key in evicted {
                        let number = u64::from_be_bytes(key.as_bytes().try_into().unwrap());
                        prop_assert!(oracle.remove(&number).is_some(), "it goes once");
                    }
                    let fits = u64::from(weight) <= capacity;
                    prop_assert_eq!(oracle.contains_key(&number), fits, "what came in is there");
                }
                Step::Remove(number) => {
                    let held = oracle.remove(&number);
                    prop_assert_eq!(table.remove(number), held.map(|held| held.0));
                }
            }
            let weight: u64 = oracle.values().map(|held| u64::from(held.1)).sum();
            prop_assert_eq!((table.0.len(), table.0.weight()), (oracle.len(), weight));
            prop_assert!(weight <= capacity);
        }
        let mut walked = HashMap::new();
        let mut begin = 0;
        while let Some((slot, _, value)) = table.0.first_in(begin..table.0.slots()) {
            walked.insert(value.0, ());
            begin = slot + 1;
        }
        prop_assert_eq!(walked.len(), oracle.len());
    }
}

#[test]
fn a_slot_is_one_line() {
    assert_eq!(size_of::<Slot<std::sync::Arc<u8>>>(), 64);
}

const ROOM: u64 = 1_000;

#[test]
fn of_what_is_walked_over_and_over_most_stays() {
    let looped = (0..50 * ROOM).map(|at| at % (ROOM + ROOM / 4));
    // No more than 80 can be.
    let percent = Numbers::of(ROOM).percent(looped);
    assert!(percent > 70.0, "{percent}");
}

#[test]
fn what_is_asked_for_once_drives_out_little_that_is_asked_for_more() {
    let mut random = StdRng::seed_from_u64(7);
    // Nine tenths of the room are asked for all the time, between two that nobody wants again.
    let wanted = |at: u64| {
        if at.is_multiple_of(3) { random.random_range(0..ROOM * 9 / 10) } else { at + ROOM }
    };
    let mut table = Numbers::of(ROOM);
    let trace: Vec<_> = (0..100 * ROOM).map(wanted).collect();
    table.percent(trace);
    let held = (0..ROOM * 9 / 10).filter(|number| table.get(*number).is_some()).count();
    assert!(held as u64 > ROOM * 8 / 10, "{held}");
}

#[test]
fn what_was_wanted_once_gives_way_to_what_is_wanted_now() {
    let mut random = StdRng::seed_from_u64(7);
    let mut table = Numbers::of(ROOM);
    let mut phase = |from: u64| {
        let trace: Vec<_> =
            (0..40 * ROOM).map(|_| from + random.random_range(0..ROOM * 9 / 10)).collect();
        table.percent(trace)
    };
    phase(0);
    let percent = phase(1 << 30);
    assert!(percent > 80.0, "{percent}");
}

#[test]
fn what_is_heavy_stays_if_it_is_wanted_more_than_each_that_goes_for_it() {
    let mut table = Numbers::of(ROOM);
    (0..ROOM).for_each(|number| drop(table.insert(number, number, 1)));
    let heavy = ROOM;
    table.insert(heavy, heavy, ROOM as u32 / 4);
    for _ in 0..3 {
        table.get(heavy);
    }
    (ROOM + 1..ROOM * 2).for_each(|number| drop(table.insert(number, number, 1)));
    assert!(table.get(heavy).is_some());
    let unwanted = ROOM * 2;
    table.insert(unwanted, unwanted, ROOM as u32 / 4);
    assert!(table.get(heavy).is_some());
    table.insert(unwanted + 1, 0, 1);
    assert!(table.get(unwanted).is_none());
}
