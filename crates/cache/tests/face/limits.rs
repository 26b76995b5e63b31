//! Limits of loads: the soft one gives what is stale, the hard one ends the load.

use forebay_cache::{Error, Freshness, millis, minutes, secs};

use crate::stage::{Calls, Gate, names, until};

#[tokio::test]
async fn at_the_soft_limit_the_stale_value_is_given_and_the_load_goes_on() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).soft_limit(millis(40)).build().await.unwrap();
    cache.set(&1, "old".to_owned()).await.unwrap();
    hand.advance(secs(11));
    let gate = Gate::default();
    let found = cache.get_or_load(&1, || gate.word("new")).await.unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.freshness), ("old", Freshness::Stale));
    gate.open();
    until("the load has ended", async || cache.get(&1).await.unwrap().is_some()).await;
    assert_eq!(cache.get(&1).await.unwrap().unwrap().value.unwrap().as_str(), "new");
    assert_eq!(gate.calls.now(), 1);
}

#[tokio::test]
async fn without_a_stale_value_the_soft_limit_says_nothing() {
    let cache = names().0.soft_limit(millis(1)).build().await.unwrap();
    let load = || async {
        tokio::time::sleep(millis(60)).await;
        Ok::<_, Error>("a".to_owned())
    };
    assert_eq!(cache.get_or_load(&1, load).await.unwrap().value.unwrap().as_str(), "a");
}

#[tokio::test]
async fn at_the_hard_limit_the_load_is_ended_and_all_are_told() {
    let cache = names().0.hard_limit(millis(80)).build().await.unwrap();
    let gate = Gate::default();
    let calls = (0..5).map(|_| cache.fetch(&1).load(|| gate.word("never")));
    for told in cache.get_many(calls, 5).await {
        assert!(matches!(told, Err(Error::TooSlow(limit)) if limit == millis(80)), "{told:?}");
    }
    assert_eq!((gate.calls.now(), cache.stats().too_slow), (1, 1));
    let calls = Calls::default();
    assert!(cache.get_or_load(&1, || calls.word("a")).await.is_ok());
}

#[tokio::test]
async fn at_the_hard_limit_the_stale_value_stands_in() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).build().await.unwrap();
    cache.set(&1, "old".to_owned()).await.unwrap();
    hand.advance(secs(11));
    let gate = Gate::default();
    let fetch = cache.fetch(&1).hard_limit(millis(30));
    let found = fetch.load(|| gate.word("never")).await.unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.freshness), ("old", Freshness::Stale));
    assert_eq!((cache.stats().too_slow, cache.stats().revived), (1, 1));
}
