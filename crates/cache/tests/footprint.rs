//! What an entry costs beyond the bytes that it keeps, and what a hit allocates. Alone in its
//! process, because it counts every allocation.

use std::alloc::System;

use bytes::Bytes;
use cap::Cap;
use forebay_cache::mechanism::{
    Belongs, Body, Clock, Entry, Epoch, Group, Head, Key, Kind, LogEntry, Options, Prefix, Rule,
    Rules, Scope, Tiers, Timestamp, Verdict,
};
use forebay_cache::purge::Bounds;
use std::sync::Mutex;

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

fn filled() -> Tiers<Plain, ()> {
    let options = Options { memory_bytes_max: 256 << 20, ..Options::default() };
    let cache = Tiers::new(&options, Clock::system());
    for number in 0..ENTRIES {
        let body = Body::whole(&Bytes::from(vec![1; BODY_BYTES]), None, cache.budget());
        let entry = Entry::new(Plain, body, Timestamp::FAR);
        cache.insert(&key(number), &entry.into());
    }
    cache
}

/// One at a time: all count the same allocations.
static ALONE: Mutex<()> = Mutex::new(());

/// As many as there may be, hard ones about groups and soft ones about prefixes, all of them in
/// groups of their own.
fn rules(scope: impl Fn(u64) -> Scope) -> Rules {
    let bounds = Bounds { rules_max: usize::MAX, bytes_max: usize::MAX };
    let mut rules = Rules::new(bounds);
    for number in 1..=100_000 {
        let rule = Rule { scope: scope(number), kind: Kind::Hard };
        let at = Timestamp::default();
        rules.apply(&LogEntry { number, token: number, previous: number - 1, at, rule });
    }
    rules
}

fn group(number: u64) -> Group {
    Group::of("tag", &number.to_le_bytes())
}

#[test]
fn a_rule_costs_no_more_than_is_counted_and_its_judgement_allocates_nothing() {
    let _alone = ALONE.lock();
    let prefix = |number| Scope::Prefix(Prefix::new(group(number), b"/shop/").expect("short"));
    for (name, scope) in [
        ("group", &(|number| Scope::Group(group(number))) as &dyn Fn(u64) -> Scope),
        ("prefix", &prefix),
    ] {
        let before = ALLOCATOR.allocated();
        let rules = rules(scope);
        let (held, count) = (ALLOCATOR.allocated() - before, rules.len());
        let (cost, counted) = (held / count, rules.bytes() / count);
        println!("a rule about a {name} costs {cost} bytes, {counted} are counted");
        assert!(cost <= counted, "{name}: {cost} bytes, {counted} counted");

        let before = ALLOCATOR.total_allocated();
        let mut belongs = Belongs::new();
        (1..=8).for_each(|number| belongs.to(group(number)));
        belongs.lies_on(group(100_000), b"/shop/shoes/12");
        let verdict = rules.judge(Epoch::new(0, 99_999, 99_999), &belongs);
        let is_covered = name == "prefix";
        assert_eq!(verdict == Verdict::Gone { by: 100_000 }, is_covered, "{name}: {verdict:?}");
        assert_eq!(ALLOCATOR.total_allocated() - before, 0);
    }
}

#[test]
fn an_entry_costs_no_more_than_is_counted_and_a_hit_allocates_nothing() {
    let _alone = ALONE.lock();
    let before = ALLOCATOR.allocated();
    let cache = filled();
    let kept = ENTRIES * (KEY_BYTES + BODY_BYTES);
    let overhead = (ALLOCATOR.allocated() - before - kept) / ENTRIES + SLACK;
    let snapshot = cache.snapshot();
    let counted = (snapshot.memory_bytes as usize - kept) / ENTRIES;
    assert_eq!(snapshot.entries as usize, ENTRIES);
    println!("an entry costs {overhead} bytes beyond its own, {counted} are counted");
    assert!(overhead <= counted, "{overhead} bytes, {counted} counted");
    assert!(counted <= 400, "{counted}");

    let keys: Vec<_> = (0..1_000).map(key).collect();
    let before = ALLOCATOR.total_allocated();
    for key in &keys {
        assert!(cache.look_up_memory(key.as_bytes()).is_some());
    }
    assert_eq!(ALLOCATOR.total_allocated() - before, 0);
}

#[test]
fn a_hit_through_the_face_allocates_nothing() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use forebay_cache::{Cache, Error};

    let _alone = ALONE.lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("there is a runtime");
    let build = Cache::<(u64, String), String>::builder("names").build();
    let cache = runtime.block_on(build).expect("its settings are good");
    let keys: Vec<_> = (0..100_u64).map(|number| (number, format!("user {number}"))).collect();
    for key in &keys {
        runtime.block_on(cache.set(key, key.1.clone())).expect("it is set");
    }
    let mut cx = Context::from_waker(Waker::noop());
    let before = ALLOCATOR.total_allocated();
    for key in &keys {
        let load = || async { Ok::<_, Error>(String::new()) };
        let Poll::Ready(Ok(found)) = pin!(cache.get_or_load(key, load)).poll(&mut cx) else {
            panic!("a hit waits for nothing")
        };
        assert_eq!(found.value.as_deref(), Some(&key.1));
        let Poll::Ready(Ok(Some(_))) = pin!(cache.get(key)).poll(&mut cx) else {
            panic!("a hit waits for nothing")
        };
        assert_eq!(cache.fresh(key).as_deref(), Some(&key.1));
    }
    assert_eq!(ALLOCATOR.total_allocated() - before, 0);
}
