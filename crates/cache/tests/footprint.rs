//! What an entry costs beyond the bytes that it keeps, and what a hit allocates. Alone in its
//! process, because it counts every allocation.

use std::alloc::System;

use bytes::Bytes;
use cap::Cap;
use forebay_cache::{Body, Cache, Clock, Entry, Head, Key, Options, Timestamp};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

struct Plain;

impl Head for Plain {
    fn weight_bytes(&self) -> usize {
        0
    }
}

// Just over a doubling of the tables in each shard, where their slack is largest.
const ENTRIES: usize = 67_000;
const KEY_BYTES: usize = 40;
const BODY_BYTES: usize = 1_024;

// The allocator's own cost, which it does not tell: up to sixteen bytes for each of the four
// allocations of an entry (key, entry, body, page with its owner).
const SLACK: usize = 5 * 16;

fn key(number: usize) -> Key {
    Key::from(format!("{number:0KEY_BYTES$}").as_bytes())
}

fn filled() -> Cache<Plain, ()> {
    let options = Options { memory_bytes_max: 256 << 20, ..Options::default() };
    let cache = Cache::new(&options, Clock::system());
    for number in 0..ENTRIES {
        let body = Body::whole(&Bytes::from(vec![1; BODY_BYTES]), None, cache.budget());
        let entry = Entry::new(Plain, body, Timestamp::FAR);
        cache.insert(&key(number), &entry.into());
    }
    cache
}

#[test]
fn an_entry_costs_no_more_than_is_counted_and_a_hit_allocates_nothing() {
    let before = ALLOCATOR.allocated();
    let cache = filled();
    let kept = ENTRIES * (KEY_BYTES + BODY_BYTES);
    let overhead = (ALLOCATOR.allocated() - before - kept) / ENTRIES + SLACK;
    let snapshot = cache.snapshot();
    let counted = (snapshot.memory_bytes as usize - kept) / ENTRIES;
    assert_eq!(snapshot.entries as usize, ENTRIES);
    println!("an entry costs {overhead} bytes beyond its own, {counted} are counted");
    assert!(overhead <= counted, "{overhead} bytes, {counted} counted");
    assert!(counted <= 390, "{counted}");

    let keys: Vec<_> = (0..1_000).map(key).collect();
    let before = ALLOCATOR.total_allocated();
    for key in &keys {
        assert!(cache.look_up_memory(key.as_bytes()).is_some());
    }
    assert_eq!(ALLOCATOR.total_allocated() - before, 0);
}
