use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::body::Body;
use crate::budget::Budget;
use crate::clock::Timestamp;

fn memory(memory_bytes_max: usize) -> Memory<u32> {
    let options = Options { memory_bytes_max, ..Options::default() };
    let clock = Clock::virtual_from(Timestamp::from_millis(1_000));
    Memory::new(&options, clock, Arc::default())
}

fn key(number: usize) -> Key {
    Key::from(&number.to_be_bytes()[..])
}

fn entry(body_bytes: usize) -> Arc<Entry<u32>> {
    until(Timestamp::FAR, body_bytes)
}

fn until(keep_until: Timestamp, body_bytes: usize) -> Arc<Entry<u32>> {
    let body = Body::whole(&Bytes::from(vec![0; body_bytes]), None, &Budget::new(0));
    Arc::new(Entry::new(0, body, keep_until))
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_to_the_contract() {
    let memory = memory(1 << 20);
    crate::tier::contract::keeps_to_it(&memory, &memory.clock.clone()).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_rule_admits_is_held_and_what_exceeds_it_is_refused_and_counted() {
    for capacity in [4 << 10, 1 << 20, 5 << 20, 32 << 20, 128 << 20] {
        let memory = memory(capacity);
        let rule = (capacity / 10).clamp(1 << 20, 64 << 20).min(capacity / 10 * 9);
        assert_eq!(memory.entry_bytes_max(), rule);
        // The heaviest body: what is left beside the entry's, page's, key's and head's cost.
        let heaviest = rule - ENTRY_OVERHEAD - crate::budget::CHUNK_OVERHEAD - 8 - 4;
        for number in 0..20 {
            assert_eq!(memory.insert(&key(number), &entry(heaviest)), Admitted::Kept);
            assert!(memory.look_up(key(number).as_bytes()).is_some(), "{capacity}");
            assert!(memory.bytes() <= capacity);
        }
        let refused = memory.insert(&key(19), &entry(heaviest + 1));
        assert_eq!((refused, memory.stats.refused.now()), (Admitted::TooLarge, 1));
        assert!(memory.look_up(key(19).as_bytes()).is_none(), "nor is what it replaces held");
    }
}

#[tokio::test(start_paused = true)]
async fn the_bound_in_bytes_holds_whatever_comes() {
    for (capacity, body_bytes) in [(1 << 19, 0), (1 << 20, 900), (16 << 20, 100_000), (0, 1)] {
        let memory = memory(capacity);
        for number in 0..3_000 {
            memory.insert(&key(number), &entry(body_bytes));
            assert!(memory.bytes() <= capacity);
        }
        assert!(capacity == 0 || memory.stats.evicted.now() > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_does_not_drive_out_what_is_asked_for() {
    let memory = memory(1 << 20);
    for number in 0..100 {
        memory.insert(&key(number), &entry(1_000));
    }
    for number in 100..20_000 {
        memory.insert(&key(number), &entry(1_000));
        memory.look_up(key(number % 100).as_bytes());
    }
    let left = (0..100).filter(|number| memory.peek(key(*number).as_bytes()).is_some()).count();
    assert!(left > 90, "{left}");
}

#[tokio::test(start_paused = true)]
async fn expired_entries_are_reclaimed_on_reading_and_by_the_sweep() {
    let memory = memory(1 << 20);
    let soon = Timestamp::from_millis(2_000);
    for number in 0..100 {
        memory.insert(&key(number), &until(soon, 10));
    }
    for number in 100..110 {
        memory.insert(&key(number), &entry(10));
    }
    let kept_on = memory.peek(key(1).as_bytes()).unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    kept_on.extend_keep(Timestamp::FAR);
    assert!(memory.look_up(key(0).as_bytes()).is_none());
    assert_eq!((memory.len(), memory.stats.expired.now()), (109, 1));
    let mut sweep = memory.sweep();
    while sweep.step(7, |_, _| false).is_some() {}
    assert_eq!((memory.len(), memory.stats.expired.now()), (11, 99));
    assert!(memory.look_up(key(1).as_bytes()).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_replaced_only_by_who_knows_it() {
    let memory = memory(1 << 20);
    let (old, new, other) = (entry(1), entry(2), entry(3));
    assert!(memory.replace(&key(0), &old, &new).is_none());
    memory.insert(&key(0), &old);
    assert!(memory.replace(&key(0), &other, &new).is_none());
    assert!(memory.replace(&key(0), &old, &new).is_some());
    memory.insert_if_absent(&key(0), &other);
    memory.remove_this(key(0).as_bytes(), &old);
    assert!(Arc::ptr_eq(&memory.look_up(key(0).as_bytes()).unwrap(), &new));
    memory.remove_this(key(0).as_bytes(), &new);
    memory.insert_if_absent(&key(0), &other);
    assert!(Arc::ptr_eq(&memory.look_up(key(0).as_bytes()).unwrap(), &other));
}

/// What a caller does with one of a few keys.
#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(Shelf),
    InsertIfAbsent(Shelf),
    Replace(Shelf),
    Remove,
    LookUp,
    Wait,
}

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

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let shelf = prop_oneof![Just(Shelf::Main), Just(Shelf::Aside), Just(Shelf::Nowhere)];
    let step = prop_oneof![
        3 => shelf.clone().prop_map(Step::Insert),
        1 => shelf.clone().prop_map(Step::InsertIfAbsent),
        1 => shelf.prop_map(Step::Replace),
        1 => Just(Step::Remove),
        3 => Just(Step::LookUp),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec((0..12_usize, step), 0..120)
}

proptest! {
    // Room for five of twelve on each shelf; every entry lives for ten seconds, a wait takes four.
    #[test]
    fn it_has_what_a_map_would_have_unless_it_told_that_it_went(steps in steps()) {
        let (clock, hand) = Clock::by_hand(Timestamp::from_millis(1_000));
        let bytes_max = 5 * (ENTRY_OVERHEAD + 16);
        let options = Options {
            memory_bytes_max: bytes_max,
            aside_bytes_max: Some(bytes_max),
            ..Options::default()
        };
        let memory: Memory<Lies> = Memory::new(&options, clock.clone(), Arc::default());
        let told: Arc<Mutex<Vec<Key>>> = Arc::default();
        let telling = Arc::clone(&told);
        memory.listen(Box::new(move |key, _| telling.lock().push(Key::from(key))));
        let mut oracle: HashMap<Key, Arc<Entry<Lies>>> = HashMap::new();
        let until = || clock.now().plus(Duration::from_secs(10));
        let entry = |shelf| Arc::new(Entry::new(Lies(shelf), Body::empty(), until()));
        for (number, step) in steps {
            let key = key(number);
            let held = oracle.get(&key).cloned();
            match step {
                Step::Insert(shelf) => {
                    let entry = entry(shelf);
                    if memory.insert(&key, &entry) == Admitted::Kept {
                        oracle.insert(key.clone(), entry);
                    }
                }
                Step::InsertIfAbsent(shelf) => {
                    let entry = entry(shelf);
                    memory.insert_if_absent(&key, &entry);
                    if held.is_none() && shelf != Shelf::Nowhere {
                        oracle.insert(key.clone(), entry);
                    }
                }
                Step::Replace(shelf) => {
                    let (entry, old) = (entry(shelf), held.unwrap_or_else(|| entry(Shelf::Main)));
                    if memory.replace(&key, &old, &entry).is_some() {
                        prop_assert!(oracle.insert(key.clone(), entry).is_some());
                    }
                }
                Step::Remove => {
                    memory.remove(key.as_bytes());
                    oracle.remove(&key);
                }
                Step::LookUp => {
                    let found = memory.look_up(key.as_bytes());
                    let live = held.filter(|held| !held.is_expired(clock.now()));
                    prop_assert_eq!(found.is_some(), live.is_some());
                    prop_assert!(found.zip(live).is_none_or(|(one, other)| Arc::ptr_eq(&one, &other)));
                }
                Step::Wait => hand.advance(Duration::from_secs(4)),
            }
            for key in told.lock().drain(..) {
                prop_assert!(oracle.remove(&key).is_some(), "what went was held");
            }
            prop_assert_eq!(memory.len(), oracle.len());
            let weight = |(key, entry): (&Key, &Arc<Entry<Lies>>)| {
                ENTRY_OVERHEAD + key.as_bytes().len() + size_of::<Lies>() + entry.body().as_whole().map_or(0, |body| body.weight_bytes())
            };
            prop_assert_eq!(memory.bytes(), oracle.iter().map(weight).sum::<usize>());
            let on = |shelf| oracle.iter().filter(|held| held.1.head().0 == shelf).map(weight).sum::<usize>();
            prop_assert!(on(Shelf::Main) <= bytes_max && on(Shelf::Aside) <= bytes_max);
        }
        prop_assert_eq!(memory.iter().count(), oracle.len());
    }
}
