//! Flights under every order of their leader's and followers' steps that shuttle comes upon.

use std::sync::atomic::AtomicUsize;

use shuttle::future::block_on;
use shuttle::{check_random, thread};

use super::*;
use crate::body::Body;
use crate::clock::{Clock, Timestamp};
use crate::log::Purges;
use crate::stats::Stats;

const ROUNDS: usize = 4_000;

type Table = Arc<Flights<u8, &'static str>>;

fn table() -> Table {
    let bounds = Bounds { flights_max: 9, followers_max: 9, declined_max: 16, resting_max: 16 };
    Flights::new(bounds, Clock::system(), Arc::new(Stats::default()), Purges::default())
}

fn key() -> Key {
    Key::from(&b"key"[..])
}

fn entry() -> Arc<Entry<u8>> {
    Arc::new(Entry::new(1, Body::empty(), Timestamp::FAR))
}

/// What a caller does who leads.
type Lead = fn(Flight<u8, &'static str>, &Table) -> Outcome;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Led,
    Left,
    Told,
}

// Each caller joins and ends in one way or another; a lost wake-up is a deadlock to shuttle.
fn call(table: &Table, leads: Lead) -> Outcome {
    match table.join(&key(), None) {
        Entrance::Lead(flight) => leads(flight, table),
        Entrance::Follow(mut follower) => match block_on(follower.told()) {
            Ending::Lead(flight) => leads(flight, table),
            Ending::Filled(_) | Ending::Declined | Ending::Abandoned(_) => Outcome::Told,
            Ending::TimedOut => unreachable!("no limit was set"),
        },
        Entrance::Filled(_) | Entrance::Unshared => Outcome::Told,
    }
}

fn run(callers: usize, leads: Lead) -> Vec<Outcome> {
    let table = table();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let table = Arc::clone(&table);
            thread::spawn(move || call(&table, leads))
        })
        .collect();
    let outcomes = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    assert_eq!(table.open(), 0, "every flight was closed");
    outcomes
}

#[test]
fn at_no_moment_are_there_two_leaders_and_every_follower_ends() {
    let fills: Lead = |flight, _| {
        thread::yield_now();
        drop(flight.fill(entry()));
        Outcome::Led
    };
    let abandons: Lead = |flight, _| {
        thread::yield_now();
        flight.abandon("refused");
        Outcome::Led
    };
    let declines: Lead = |flight, _| {
        thread::yield_now();
        flight.decline(Duration::from_secs(60));
        Outcome::Led
    };
    for leads in [fills, abandons, declines] {
        check_random(move || assert!(run(3, leads).contains(&Outcome::Led)), ROUNDS / 2);
    }
}

#[test]
fn leaders_at_one_time_are_never_two() {
    let round = || {
        let (table, flying) = (table(), Arc::new(AtomicUsize::new(0)));
        let fly = move |table: &Table, flying: &AtomicUsize| {
            let flight = match table.join(&key(), None) {
                Entrance::Lead(flight) => flight,
                Entrance::Follow(mut follower) => match block_on(follower.told()) {
                    Ending::Lead(flight) => flight,
                    _ => return,
                },
                Entrance::Filled(_) | Entrance::Unshared => return,
            };
            assert_eq!(flying.fetch_add(1, Ordering::SeqCst), 0);
            thread::yield_now();
            assert_eq!(flying.fetch_sub(1, Ordering::SeqCst), 1);
            drop(flight);
        };
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (table, flying) = (Arc::clone(&table), Arc::clone(&flying));
                thread::spawn(move || fly(&table, &flying))
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!(table.open(), 0);
    };
    check_random(round, ROUNDS);
}

#[test]
fn when_every_leader_leaves_all_lead_in_turn() {
    let leaves: Lead = |flight, _| {
        thread::yield_now();
        drop(flight);
        Outcome::Left
    };
    check_random(move || assert_eq!(run(3, leaves), [Outcome::Left; 3]), ROUNDS);
}

#[test]
fn a_follower_that_leaves_takes_no_lead_with_it() {
    let round = || {
        let table = table();
        let Entrance::Lead(leader) = table.join(&key(), None) else { panic!("not led") };
        let follower = || match table.join(&key(), None) {
            Entrance::Follow(follower) => follower,
            _ => panic!("not followed"),
        };
        let (leaves, mut stays) = (follower(), follower());
        let leaving = thread::spawn(move || drop(leaves));
        let leader = thread::spawn(move || drop(leader));
        assert!(matches!(block_on(stays.told()), Ending::Lead(_)));
        leaving.join().unwrap();
        leader.join().unwrap();
        assert_eq!(table.open(), 0);
    };
    check_random(round, ROUNDS);
}

#[test]
fn a_removal_during_the_flight_is_seen_or_comes_before_it() {
    let round = || {
        let table = table();
        let Entrance::Lead(leader) = table.join(&key(), None) else { panic!("not led") };
        let remover = Arc::clone(&table);
        let removal = thread::spawn(move || remover.spoil(b"key"));
        let landing = leader.fill(entry());
        removal.join().unwrap();
        assert!(landing.is_spoiled());
        drop(landing);
        assert_eq!(table.open(), 0);
    };
    check_random(round, ROUNDS);
}
