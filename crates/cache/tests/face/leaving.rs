//! Callers who leave: at every await of a call, what was begun goes on, and nobody else is harmed.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use forebay_cache::{Error, millis, minutes, secs};

use crate::stage::{Calls, Gate, Names, names, until};

/// Polls a call so often at most, and then leaves.
async fn left_after<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut left) = (pin!(call), polls);
    if polls == 0 {
        return None;
    }
    poll_fn(move |cx| {
        left -= 1;
        match call.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn loads_all_the_same(cache: &Names, key: u64, polls: usize) {
    let gate = Gate::default();
    let call = cache.get_or_load(&key, || gate.word("a"));
    assert!(left_after(polls, call).await.is_none());
    if polls == 0 {
        return assert_eq!(gate.calls.now(), 0);
    }
    gate.begun().await;
    gate.open();
    until("it is kept", async || cache.get(&key).await.unwrap().is_some()).await;
    assert_eq!(gate.calls.now(), 1);
    assert_eq!(cache.stats().tiers.flights, 0);
}

#[tokio::test]
async fn a_load_goes_on_when_its_caller_leaves_and_is_kept() {
    let cache = names().0.build().await.unwrap();
    for polls in 0..4 {
        // The call is polled once only unless it is woken, so it is left at its first await.
        loads_all_the_same(&cache, polls as u64, polls.min(1)).await;
    }
}

#[tokio::test]
async fn when_the_leader_leaves_those_who_wait_get_its_value() {
    let cache = names().0.build().await.unwrap();
    let gate = Gate::default();
    assert!(left_after(1, cache.get_or_load(&1, || gate.word("a"))).await.is_none());
    let waits = {
        let (cache, gate) = (cache.clone(), gate.clone());
        tokio::spawn(async move { cache.get_or_load(&1, || gate.word("b")).await })
    };
    gate.begun().await;
    until("it waits", async || cache.stats().tiers.followed == 1).await;
    gate.open();
    assert_eq!(waits.await.unwrap().unwrap().value.unwrap().as_str(), "a");
    assert_eq!(gate.calls.now(), 1);
}

#[tokio::test]
async fn who_waits_may_leave_at_any_moment() {
    let cache = names().0.build().await.unwrap();
    let gate = Gate::default();
    assert!(left_after(1, cache.get_or_load(&1, || gate.word("a"))).await.is_none());
    gate.begun().await;
    for polls in 0..2 {
        assert!(left_after(polls, cache.get_or_load(&1, || gate.word("b"))).await.is_none());
    }
    gate.open();
    until("it is kept", async || cache.get(&1).await.unwrap().is_some()).await;
    assert_eq!((gate.calls.now(), cache.stats().tiers.flights), (1, 0));
}

#[tokio::test]
async fn a_caller_that_is_cancelled_at_any_time_loses_nothing() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).build().await.unwrap();
    let calls = Calls::default();
    for round in 0..60_u64 {
        let load = || {
            let word = calls.word("a");
            async move {
                tokio::time::sleep(millis(2)).await;
                word.await
            }
        };
        let key = round % 3;
        let call = cache.get_or_load(&key, load);
        let _ = tokio::time::timeout(millis(round % 5), call).await;
        hand.advance(secs(4));
    }
    until("all loads have ended", async || cache.stats().tiers.flights == 0).await;
    for key in 0..3 {
        let load = || async { Err::<String, _>(Error::RuntimeEnded) };
        assert!(cache.get_or_load(&key, load).await.is_ok(), "{key} is held");
    }
}

#[test]
fn a_load_whose_runtime_ends_is_an_error_to_its_caller_and_not_a_wait() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (cache, gate) = (runtime.block_on(names().0.build()).unwrap(), Gate::default());
    let waits = {
        let (cache, gate) = (cache.clone(), gate.clone());
        runtime.spawn(async move { cache.get_or_load(&1, || gate.word("never")).await.map(|_| ()) })
    };
    other.block_on(gate.begun());
    let follows = {
        let (cache, gate) = (cache.clone(), gate.clone());
        std::thread::spawn(move || other.block_on(cache.get_or_load(&1, || gate.word("mine"))))
    };
    while cache.stats().tiers.followed == 0 {
        std::thread::yield_now();
    }
    runtime.shutdown_background();
    drop(waits);
    gate.open();
    // Who waited elsewhere takes over.
    assert_eq!(follows.join().unwrap().unwrap().value.unwrap().as_str(), "mine");
}
