//! Memory under every order of its callers' steps that shuttle comes upon.

use std::collections::HashMap;
use std::sync::Arc;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::{check_random, thread};

use super::*;
use crate::body::Body;
use crate::options::Hashing;

const ROUNDS: usize = 2_000;
const KEYS: u8 = 3;
const STEPS: usize = 8;
/// Less than what all keys weigh together, on either shelf.
const BYTES_MAX: usize = 2 * (ENTRY_OVERHEAD + 64);

/// A head that says where it lies.
struct Lies(Shelf);

impl Head for Lies {
    fn weight_bytes(&self) -> usize {
        0
    }

    fn shelf(&self) -> Shelf {
        self.0
    }
}

fn memory() -> Arc<Memory<Lies>> {
    let options = Options {
        memory_bytes_max: BYTES_MAX,
        aside_bytes_max: Some(BYTES_MAX),
        hashing: Hashing::QuickAfter(0),
        ..Options::default()
    };
    let clock = Clock::virtual_from(Timestamp::from_millis(1_000));
    Arc::new(Memory::new(&options, clock, Arc::default()))
}

fn key(number: u8) -> Key {
    Key::from(&[number][..])
}

fn entry(shelf: Shelf) -> Arc<Entry<Lies>> {
    Arc::new(Entry::new(Lies(shelf), Body::empty(), Timestamp::FAR))
}

fn any_entry() -> Arc<Entry<Lies>> {
    entry(if thread_rng().gen_bool(0.5) { Shelf::Main } else { Shelf::Aside })
}

fn any_step(memory: &Memory<Lies>) {
    let key = key(thread_rng().gen_range(0..KEYS));
    match thread_rng().gen_range(0..6) {
        0 => assert_eq!(memory.insert(&key, &any_entry()), Admitted::Kept),
        1 => memory.insert_if_absent(&key, &any_entry()),
        2 => memory.remove(key.as_bytes()),
        step => {
            let Some(found) = memory.look_up(key.as_bytes()) else { return };
            match step {
                3 => drop(memory.replace(&key, &found, &any_entry())),
                4 => drop(memory.remove_this(key.as_bytes(), &found)),
                _ => {}
            }
        }
    }
    assert!(memory.bytes() <= 2 * BYTES_MAX);
}

#[test]
fn a_key_lies_in_one_place_and_what_is_held_weighs_what_is_counted() {
    let round = || {
        let memory = memory();
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || (0..STEPS).for_each(|_| any_step(&memory)))
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        let held: Vec<_> = memory.iter().collect();
        let by_key: HashMap<_, _> = held.iter().cloned().collect();
        assert_eq!((by_key.len(), memory.len()), (held.len(), held.len()));
        let weight =
            |(key, entry)| memory.weigh(memory.clock.now(), key, entry).unwrap().weight as usize;
        assert_eq!(memory.bytes(), by_key.iter().map(weight).sum::<usize>());
        for (key, entry) in &by_key {
            assert!(Arc::ptr_eq(&memory.look_up(key.as_bytes()).unwrap(), entry));
        }
    };
    check_random(round, ROUNDS);
}

#[test]
fn what_was_removed_is_found_by_nobody_who_comes_after() {
    let round = || {
        let (memory, is_gone) = (memory(), Arc::new(AtomicBool::new(false)));
        let old = any_entry();
        memory.insert(&key(0), &old);
        let remover = {
            let (memory, is_gone) = (Arc::clone(&memory), Arc::clone(&is_gone));
            thread::spawn(move || {
                memory.remove(key(0).as_bytes());
                is_gone.store(true, Ordering::SeqCst);
            })
        };
        let replacer = {
            let (memory, old) = (Arc::clone(&memory), Arc::clone(&old));
            thread::spawn(move || memory.replace(&key(0), &old, &any_entry()))
        };
        for _ in 0..4 {
            let was_gone = is_gone.load(Ordering::SeqCst);
            let found = memory.look_up(key(0).as_bytes());
            assert!(!was_gone || found.is_none());
        }
        remover.join().unwrap();
        // It came before, and went with the other; or after, and found nothing to replace.
        drop(replacer.join().unwrap());
        assert!(memory.look_up(key(0).as_bytes()).is_none());
    };
    check_random(round, ROUNDS);
}

#[test]
fn of_two_who_bring_a_key_where_there_is_none_one_is_there() {
    let round = || {
        let memory = memory();
        let callers: Vec<_> = [Shelf::Main, Shelf::Aside]
            .map(|shelf| {
                let (memory, entry) = (Arc::clone(&memory), entry(shelf));
                thread::spawn(move || memory.insert_if_absent(&key(0), &entry))
            })
            .into();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!((memory.len(), memory.look_up(key(0).as_bytes()).is_some()), (1, true));
    };
    check_random(round, ROUNDS);
}
