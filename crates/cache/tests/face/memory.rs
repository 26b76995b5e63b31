//! Rows that memory and a loader are enough for.

use std::sync::Arc;

use forebay_cache::{
    Cache, Error, Freshness, KIB, Left, Level, Loaded, MIB, Ttl, Value, millis, minutes, secs,
};

use crate::stage::{Calls, names};

#[tokio::test]
async fn p3_3_values_of_any_type_lie_in_memory_as_they_are() {
    // Neither serde nor Clone: nothing is written as bytes.
    struct Opaque(fn(u32) -> u32);
    let cache: Cache<(String, u32), Opaque> = Cache::builder("opaque").build().await.unwrap();
    let key = ("a".to_owned(), 7);
    let load = || async { Ok::<_, Error>(Opaque(|number| number + 1)) };
    let first = cache.get_or_load(&key, load).await.unwrap().value.unwrap();
    let again = cache.get(&key).await.unwrap().unwrap().value.unwrap();
    assert!(Value::ptr_eq(&first, &again));
    assert_eq!((again.0)(1), 2);
}

#[tokio::test]
async fn a_cache_that_is_told_nothing_has_the_defaults_that_its_docs_name() {
    let (clock, hand) = forebay_cache::Clock::by_hand(crate::stage::start());
    let cache: Cache<u64, String> = Cache::builder("plain").clock(clock).build().await.unwrap();
    let calls = Calls::default();
    let found = cache.get_or_load(&1, || calls.word("a")).await.unwrap();
    assert_eq!(found.left(), Left::For(secs(60)));
    let nothing = cache.get_or_load(&2, || async { Ok::<_, Error>(None) }).await.unwrap();
    assert_eq!(nothing.left(), Left::For(secs(5)));
    hand.advance(secs(60));
    assert!(cache.get(&1).await.unwrap().is_none(), "no stale window");
    assert!(cache.get_or_load(&1, || calls.failure()).await.is_err());
}

#[tokio::test]
async fn p3_4_what_is_loaded_is_held_to_the_millisecond_and_then_loaded_again() {
    let (builder, hand) = names();
    let cache = builder.ttl(millis(1_500)).negative_ttl(millis(700)).build().await.unwrap();
    let of_call = |key: u64| match key {
        3 | 4 => cache.fetch(&key).ttl(millis(250)).negative_ttl(millis(120)),
        _ => cache.fetch(&key),
    };
    for (key, value, lifetime) in [
        (1, Some("a"), millis(1_500)),
        (2, None, millis(700)),
        (3, Some("a"), millis(250)),
        (4, None, millis(120)),
    ] {
        let load = || async move { Ok::<_, Error>(value.map(str::to_owned)) };
        let mut levels = Vec::new();
        for wait in [millis(0), lifetime - millis(1), millis(1), millis(0)] {
            hand.advance(wait);
            let found = of_call(key).load(load).await.unwrap();
            assert_eq!(found.value.as_ref().map(|value| value.as_str()), value, "{key}");
            levels.push(found.from);
        }
        assert_eq!(levels, [Level::Loader, Level::Memory, Level::Loader, Level::Memory], "{key}");
    }
}

#[tokio::test]
async fn what_is_set_heeds_its_own_lifetime_or_that_of_the_cache() {
    let (builder, hand) = names();
    let cache = builder.negative_ttl(secs(3)).build().await.unwrap();
    let word = || Loaded::of("a".to_owned());
    for (key, loaded, lifetime) in [
        (1, word(), secs(10)),
        (2, word().ttl(millis(250)), millis(250)),
        (3, Loaded::nothing(), secs(3)),
        (4, Loaded::nothing().ttl(millis(120)), millis(120)),
    ] {
        cache.set(&key, loaded).await.unwrap();
        hand.advance(lifetime - millis(1));
        assert_eq!(cache.get(&key).await.unwrap().unwrap().left(), Left::For(millis(1)), "{key}");
        hand.advance(millis(1));
        assert!(cache.get(&key).await.unwrap().is_none(), "{key}");
    }
}

#[tokio::test]
async fn p3_4_lifetimes_are_of_the_loader_the_call_or_the_cache() {
    let (builder, _) = names();
    let cache = builder.negative_ttl(millis(1_500)).build().await.unwrap();
    let left = async |key: u64, loaded: Loaded<String>| {
        let load = async move || Ok::<_, Error>(loaded);
        let fetch = cache.fetch(&key).ttl(millis(2_500)).negative_ttl(secs(3));
        fetch.load(load).await.unwrap().left()
    };
    let word = || Loaded::of("a".to_owned());
    assert_eq!(left(1, word()).await, Left::For(millis(2_500)));
    assert_eq!(left(2, word().ttl(millis(250))).await, Left::For(millis(250)));
    assert_eq!(left(3, word().ttl(Ttl::Forever)).await, Left::Forever);
    assert_eq!(left(4, Loaded::nothing()).await, Left::For(secs(3)));
    assert_eq!(left(5, Loaded::nothing().ttl(secs(4))).await, Left::For(secs(4)));
    let load = async || Ok::<_, Error>(None::<String>);
    let of_cache = cache.get_or_load(&6, load).await.unwrap();
    assert_eq!(of_cache.left(), Left::For(millis(1_500)));
    let load = async || Ok::<_, Error>("a".to_owned());
    assert_eq!(cache.get_or_load(&7, load).await.unwrap().left(), Left::For(secs(10)));
}

#[tokio::test]
async fn p3_4_what_is_not_to_be_cached_is_given_to_all_who_wait_and_kept_for_nobody() {
    let (builder, _) = names();
    let cache = builder.negative_ttl(Ttl::DontCache).build().await.unwrap();
    let calls = Calls::default();
    for round in 1..=3 {
        let many = (0..10).map(|_| {
            let calls = calls.clone();
            cache.fetch(&1).load(move || async move {
                // All of them have joined by then.
                (0..20).for_each(|_| drop(tokio::task::yield_now()));
                tokio::time::sleep(millis(50)).await;
                calls.note();
                Ok::<_, Error>(None)
            })
        });
        for found in cache.get_many(many, 10).await {
            let found = found.unwrap();
            assert!(found.value.is_none());
            assert_eq!(found.from, Level::Loader);
        }
        assert_eq!(calls.now(), round);
        assert!(cache.get(&1).await.unwrap().is_none());
    }
    // A loader may say so of one value.
    let load = || async { Ok::<_, Error>(Loaded::of("a".to_owned()).ttl(Ttl::DontCache)) };
    assert_eq!(cache.get_or_load(&2, load).await.unwrap().value.unwrap().as_str(), "a");
    assert!(cache.get(&2).await.unwrap().is_none());
}

#[tokio::test]
async fn p3_4_a_value_that_never_expires_does_not() {
    let (builder, hand) = names();
    let cache = builder.ttl(Ttl::Forever).negative_ttl(Ttl::Forever).build().await.unwrap();
    cache.set(&1, "a".to_owned()).await.unwrap();
    cache.set(&2, None).await.unwrap();
    hand.advance(minutes(60 * 24 * 365 * 100));
    assert!(cache.get(&1).await.unwrap().unwrap().is_fresh());
    let nothing = cache.get(&2).await.unwrap().unwrap();
    assert!(nothing.is_fresh() && nothing.value.is_none());
}

#[tokio::test]
async fn p3_5_that_something_does_not_exist_is_told_from_not_cached_and_from_an_error() {
    let (builder, hand) = names();
    let cache = builder.negative_ttl(secs(2)).build().await.unwrap();
    assert!(cache.get(&1).await.unwrap().is_none(), "not cached");
    let load = async || Ok::<_, Error>(None);
    assert!(cache.get_or_load(&1, load).await.unwrap().value.is_none(), "does not exist");
    let known = cache.get(&1).await.unwrap().expect("cached that it does not exist");
    assert_eq!((known.value, known.from), (None, Level::Memory));
    let calls = Calls::default();
    assert!(cache.get_or_load(&1, || calls.word("a")).await.unwrap().value.is_none());
    assert_eq!(calls.now(), 0);
    hand.advance(secs(2));
    let failed = cache.get_or_load(&1, || calls.failure()).await;
    assert!(matches!(failed, Err(Error::Load(_))), "an error");
    let load = || calls.word("a");
    assert_eq!(cache.get_or_load(&1, load).await.unwrap().value.unwrap().as_str(), "a2");
    assert_eq!(cache.get(&1).await.unwrap().unwrap().value.unwrap().as_str(), "a2");
}

#[tokio::test]
async fn p3_6_a_result_says_where_it_came_from_and_whether_it_is_stale() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(secs(60)).build().await.unwrap();
    let calls = Calls::default();
    let first = cache.get_or_load(&1, || calls.word("a")).await.unwrap();
    assert_eq!((first.from, first.freshness), (Level::Loader, Freshness::Fresh));
    hand.advance(secs(4));
    let hit = cache.get_or_load(&1, || calls.word("a")).await.unwrap();
    assert_eq!((hit.from, hit.freshness), (Level::Memory, Freshness::Fresh));
    assert_eq!((hit.age(), hit.left()), (secs(4), Left::For(secs(6))));
    hand.advance(secs(8));
    let stale = cache.get_or_load(&1, || calls.failure()).await.unwrap();
    assert_eq!((stale.from, stale.freshness), (Level::Memory, Freshness::Stale));
    assert_eq!((stale.left(), stale.left().as_millis()), (Left::Over(secs(2)), -2_000));
}

#[tokio::test]
async fn p3_7_a_failed_load_revives_the_stale_value_for_a_while() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).retry_pause(secs(7)).build().await.unwrap();
    let calls = Calls::default();
    cache.set(&1, "old".to_owned()).await.unwrap();
    hand.advance(secs(11));
    for _ in 0..5 {
        let stale = cache.get_or_load(&1, || calls.failure()).await.unwrap();
        assert_eq!((stale.value.unwrap().as_str(), stale.freshness), ("old", Freshness::Stale));
        assert!(cache.get(&1).await.unwrap().is_some(), "revived for those without a loader, too");
    }
    assert_eq!(calls.now(), 1, "one try a pause");
    hand.advance(secs(7));
    assert!(cache.get(&1).await.unwrap().is_none(), "the pause is over");
    assert!(cache.get_or_load(&1, || calls.failure()).await.is_ok());
    assert_eq!(calls.now(), 2);
    let stats = cache.stats();
    assert_eq!((stats.failed, stats.revived, stats.loaded), (2, 2, 0));
    hand.advance(minutes(5));
    let ended = cache.get_or_load(&1, || calls.failure()).await;
    assert!(matches!(ended, Err(Error::Load(_))), "its window is over: {ended:?}");
}

#[tokio::test]
async fn p3_7_without_a_window_a_failed_load_revives_nothing() {
    let (builder, hand) = names();
    let cache = builder.build().await.unwrap();
    let calls = Calls::default();
    cache.set(&1, "old".to_owned()).await.unwrap();
    hand.advance(secs(11));
    for call in 1..=2 {
        let told = cache.get_or_load(&1, || calls.failure()).await;
        assert!(matches!(told, Err(Error::Load(_))), "{told:?}");
        assert_eq!((calls.now(), cache.stats().revived), (call, 0));
    }
}

#[tokio::test]
async fn p3_7_a_panic_revives_nothing() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).build().await.unwrap();
    cache.set(&1, "old".to_owned()).await.unwrap();
    hand.advance(secs(11));
    let panics =
        || async { if true { panic!("at once") } else { Ok::<String, Error>(String::new()) } };
    let told = cache.get_or_load(&1, panics).await;
    assert!(matches!(&told, Err(Error::Panicked(words)) if &**words == "at once"), "{told:?}");
    assert!(cache.get(&1).await.unwrap().is_none());
    let calls = Calls::default();
    let next = cache.get_or_load(&1, || calls.word("new")).await.unwrap();
    assert_eq!(next.value.unwrap().as_str(), "new1", "and the next call tries again");
    assert_eq!((cache.stats().panicked, cache.stats().revived), (1, 0));
}

#[tokio::test]
async fn p3_8_a_look_up_without_a_loader_looks_into_the_levels_alone() {
    let (builder, hand) = names();
    let cache = builder.stale_while_refresh(secs(5)).build().await.unwrap();
    assert!(cache.get(&1).await.unwrap().is_none());
    cache.set(&1, "a".to_owned()).await.unwrap();
    assert_eq!(cache.get(&1).await.unwrap().unwrap().freshness, Freshness::Fresh);
    hand.advance(secs(12));
    assert_eq!(cache.get(&1).await.unwrap().unwrap().freshness, Freshness::Stale);
    hand.advance(secs(3));
    assert!(cache.get(&1).await.unwrap().is_none());
}

#[tokio::test]
async fn p3_9_many_look_ups_have_their_own_options_and_results_and_a_bound_at_once() {
    let cache = names().0.build().await.unwrap();
    cache.set(&3, "kept".to_owned()).await.unwrap();
    let (at_once, most) = (Calls::default(), Arc::new(std::sync::Mutex::new(0_usize)));
    let calls = (0..12_u64).map(|key| {
        let (at_once, most) = (at_once.clone(), Arc::clone(&most));
        cache.fetch(&key).ttl(secs(key + 1)).load(move || async move {
            at_once.note();
            {
                let mut most = most.lock().unwrap();
                *most += 1;
                assert!(*most <= 4, "{most} at once");
            }
            tokio::time::sleep(millis(10)).await;
            *most.lock().unwrap() -= 1;
            assert_ne!(key, 7, "a loader panics");
            if key == 5 { Err(std::io::Error::other("five")) } else { Ok(Some(key.to_string())) }
        })
    });
    let found = cache.get_many(calls, 4).await;
    assert_eq!(found.len(), 12);
    for (key, found) in found.into_iter().enumerate() {
        match (key, found) {
            (5, Err(Error::Load(why))) => assert_eq!(why.to_string(), "five"),
            (7, Err(Error::Panicked(why))) => assert!(why.contains("a loader panics"), "{why}"),
            (3, Ok(found)) => assert_eq!(found.value.unwrap().as_str(), "kept"),
            (key, Ok(found)) => {
                assert_eq!(found.value.as_deref(), Some(&key.to_string()));
                assert_eq!(found.left(), Left::For(secs(key as u64 + 1)));
            }
            (key, Err(why)) => panic!("{key}: {why}"),
        }
    }
    assert_eq!(at_once.now(), 11);
}

#[tokio::test]
async fn p3_9_as_many_are_under_way_at_once_as_was_said_and_there_are() {
    for (at_once_max, count) in [1, 3, 6].into_iter().flat_map(|max| [1, 3, 6, 7].map(|n| (max, n)))
    {
        let cache = names().0.build().await.unwrap();
        let now_and_most = Arc::new(std::sync::Mutex::new((0_usize, 0_usize)));
        let calls = (0..count as u64).map(|key| {
            let counted = Arc::clone(&now_and_most);
            cache.fetch(&key).load(move || async move {
                {
                    let (now, most) = &mut *counted.lock().unwrap();
                    *now += 1;
                    *most = (*most).max(*now);
                }
                // Whoever may begin has begun when this one goes on.
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                counted.lock().unwrap().0 -= 1;
                Ok::<_, Error>(key.to_string())
            })
        });
        let found = cache.get_many(calls, at_once_max).await;
        for (key, found) in found.into_iter().enumerate() {
            assert_eq!(found.unwrap().value.unwrap().as_str(), key.to_string());
        }
        let most = now_and_most.lock().unwrap().1;
        assert_eq!(most, at_once_max.min(count), "{count} calls, {at_once_max} at once");
    }
}

#[tokio::test]
async fn what_is_fresh_is_given_at_once_and_counts_as_a_use_whatever_else_was_purged() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(secs(30)).build().await.unwrap();
    assert!(cache.fresh(&1).is_none());
    cache.set(&1, Loaded::of("a".to_owned()).tag("eu")).await.unwrap();
    cache.set(&2, Loaded::nothing()).await.unwrap();
    for hits in 1..4 {
        assert_eq!(cache.fresh(&1).unwrap().as_str(), "a");
        assert!(cache.fresh(&2).is_none(), "no value is not a value");
        assert_eq!(cache.stats().tiers.memory_hits, hits);
        cache.purge_tag("us").await.unwrap();
    }
    cache.invalidate(&1).await.unwrap();
    assert!(cache.fresh(&1).is_none() && cache.peek(&1).is_some());
    cache.set(&1, "b".to_owned()).await.unwrap();
    hand.advance(secs(10));
    assert!(cache.fresh(&1).is_none() && cache.peek(&1).is_some());
    cache.set(&1, Loaded::of("c".to_owned()).tag("eu")).await.unwrap();
    cache.purge_tag("eu").await.unwrap();
    assert!(cache.fresh(&1).is_none() && cache.peek(&1).is_none());
}

#[tokio::test]
async fn what_is_to_be_loaded_ahead_is_left_to_a_call_that_can_load() {
    let (builder, hand) = names();
    let cache = builder.refresh_ahead(1_000.0).build().await.unwrap();
    let by = hand.clone();
    let slow = || async move {
        by.advance(secs(2));
        Ok::<_, Error>("a".to_owned())
    };
    cache.get_or_load(&1, slow).await.unwrap();
    hand.advance(millis(9_999));
    assert!(cache.fresh(&1).is_none() && cache.peek(&1).unwrap().is_fresh());
}

#[tokio::test]
async fn p3_10_peeking_shows_value_and_lifetime_and_counts_as_no_use() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(secs(30)).build().await.unwrap();
    assert!(cache.peek(&1).is_none());
    cache.set(&1, "a".to_owned()).await.unwrap();
    hand.advance(secs(4));
    let shown = cache.peek(&1).unwrap();
    assert_eq!((shown.value.as_deref().unwrap().as_str(), shown.left()), ("a", Left::For(secs(6))));
    hand.advance(secs(9));
    let shown = cache.peek(&1).unwrap();
    assert_eq!((shown.freshness, shown.left().as_millis()), (Freshness::Stale, -3_000));
    hand.advance(secs(30));
    assert!(cache.peek(&1).is_none());
    assert_eq!(cache.stats().tiers.memory_hits, 0);
}

#[tokio::test]
async fn p3_15_caches_are_apart_by_their_names() {
    let (clock, _) = forebay_cache::Clock::by_hand(crate::stage::start());
    let build = |name: &str| Cache::<u64, String>::builder(name).clock(clock.clone()).build();
    let (users, pages) = (build("users").await.unwrap(), build("pages").await.unwrap());
    users.set(&1, "ann".to_owned()).await.unwrap();
    assert!(pages.get(&1).await.unwrap().is_none());
    assert!(pages.peek(&1).is_none());
    pages.delete(&1).await.unwrap();
    pages.purge_all().await.unwrap();
    assert!(users.get(&1).await.unwrap().is_some());
    assert!(users.peek(&1).is_some());
    assert!(build("").await.unwrap_err().to_string().contains("1 to 64 bytes"));
    assert!(build(&"n".repeat(65)).await.is_err());
}

#[tokio::test]
async fn p3_16_a_flood_of_what_does_not_exist_evicts_no_value() {
    let (builder, _) = names();
    let cache = builder.memory(MIB).negative_memory(128 * KIB).build().await.unwrap();
    for key in 0..100 {
        cache.set(&key, "value".to_owned()).await.unwrap();
    }
    for key in 1_000..20_000 {
        let load = || async { Ok::<_, Error>(None) };
        cache.get_or_load(&key, load).await.unwrap();
    }
    for key in 0..100 {
        assert!(cache.peek(&key).is_some(), "{key}");
    }
    let stats = cache.stats().tiers;
    assert!(stats.entries < 1_000 && stats.evicted > 18_000, "{stats:?}");
    // A key has one answer: what comes into being is no longer absent, and the other way round.
    cache.set(&19_999, "made".to_owned()).await.unwrap();
    assert!(cache.get(&19_999).await.unwrap().unwrap().value.is_some());
    cache.set(&1, None).await.unwrap();
    assert!(cache.get(&1).await.unwrap().unwrap().value.is_none());
}

#[tokio::test]
async fn p3_17_a_heavy_value_makes_room_for_itself_and_the_bound_in_bytes_holds() {
    let (builder, _) = names();
    let cache = builder.memory(4 * MIB).weigh(|value: &String| value.capacity()).build();
    let cache = cache.await.unwrap();
    for key in 0..3_000 {
        cache.set(&key, "x".repeat(2_000)).await.unwrap();
        assert!(cache.stats().tiers.memory_bytes <= 4 * MIB);
    }
    cache.set(&9_999, "y".repeat(700_000)).await.unwrap();
    assert_eq!(cache.get(&9_999).await.unwrap().unwrap().value.unwrap().len(), 700_000);
    let stats = cache.stats().tiers;
    assert!(stats.memory_bytes <= 4 * MIB && stats.memory_bytes > 3 * MIB, "{stats:?}");
    // What is heavier than memory admits is given, counted, and not kept.
    let heavy = cache.get_or_load(&77_777, || async { Ok::<_, Error>("z".repeat(5 << 20)) }).await;
    assert_eq!(heavy.unwrap().value.unwrap().len(), 5 << 20);
    assert!(cache.peek(&77_777).is_none());
    assert_eq!(cache.stats().tiers.refused, 1);
}

#[tokio::test]
async fn tags_purge_what_bears_them_whoever_said_so() {
    let cache = names().0.build().await.unwrap();
    let load = |loaded: Loaded<String>| async move { Ok::<_, Error>(loaded) };
    let word = || Loaded::of("a".to_owned());
    cache.fetch(&1).load(move || load(word().tag("eu"))).await.unwrap();
    cache.fetch(&2).tags(["eu", "new"]).load(move || load(word())).await.unwrap();
    cache.fetch(&3).load(move || load(word().tags(["us"]))).await.unwrap();
    cache.set(&4, word().tag("eu")).await.unwrap();
    cache.purge_tag("eu").await.unwrap();
    let held = [1, 2, 3, 4].map(|key| cache.peek(&key).is_some());
    assert_eq!(held, [false, false, true, false]);
    cache.set(&1, word().tag("eu")).await.unwrap();
    assert!(cache.get(&1).await.unwrap().is_some(), "what is newer than the purge stays");
    cache.purge_all().await.unwrap();
    assert!(cache.get(&3).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_invalidated_is_stale_and_stands_in() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(secs(60)).build().await.unwrap();
    cache.set(&1, "a".to_owned()).await.unwrap();
    hand.advance(secs(1));
    cache.invalidate(&1).await.unwrap();
    assert!(cache.get(&1).await.unwrap().is_none());
    let calls = Calls::default();
    let found = cache.get_or_load(&1, || calls.failure()).await.unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.freshness), ("a", Freshness::Stale));
    hand.advance(secs(11));
    let found = cache.get_or_load(&1, || calls.word("b")).await.unwrap();
    assert_eq!(found.value.unwrap().as_str(), "b2");
    assert!(cache.get(&1).await.unwrap().unwrap().is_fresh());
}

#[tokio::test]
async fn what_bears_a_tag_or_is_there_at_all_can_be_made_stale_together() {
    let (builder, _) = names();
    let cache = builder.stale_on_error(secs(60)).build().await.unwrap();
    let calls = Calls::default();
    let fresh = async || {
        let mut fresh = Vec::new();
        for key in 1..=3 {
            fresh.push(cache.get(&key).await.unwrap().is_some_and(|found| found.is_fresh()));
        }
        fresh
    };
    for (key, tag) in [(1, "eu"), (2, "eu"), (3, "us")] {
        cache.set(&key, Loaded::of(tag.to_owned()).tag(tag)).await.unwrap();
    }
    cache.invalidate_tag("eu").await.unwrap();
    assert_eq!(fresh().await, [false, false, true]);
    let found = cache.get_or_load(&1, || calls.failure()).await.unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.freshness), ("eu", Freshness::Stale));
    cache.invalidate_all().await.unwrap();
    assert_eq!(cache.get(&3).await.unwrap().map(drop), None);
    let found = cache.get_or_load(&3, || calls.failure()).await.unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.freshness), ("us", Freshness::Stale));
    let found = cache.get_or_load(&2, || calls.word("new")).await.unwrap();
    assert_eq!(found.value.unwrap().as_str(), "new3", "what is loaded since is fresh");
    assert!(fresh().await[1]);
}

#[tokio::test]
async fn a_cache_that_is_set_often_fills_no_table_of_rules() {
    let cache = names().0.build().await.unwrap();
    for key in 0..1_000 {
        cache.set(&(key % 10), "a".to_owned()).await.unwrap();
        cache.delete(&(key % 10)).await.unwrap();
    }
    let before = cache.stats().tiers.purged;
    cache.set(&1, "b".to_owned()).await.unwrap();
    assert!(cache.get(&1).await.unwrap().is_some());
    assert_eq!(before, 0);
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_with_what_can() {
    for (refused, words) in [
        (names().0.memory(1_000), "the least is 65536"),
        (names().0.jitter(1.5), "a share, 0 to 1"),
        (names().0.jitter(f64::NAN), "a share, 0 to 1"),
        (names().0.refresh_ahead(-1.0), "0 to 1000"),
        (names().0.hard_limit(secs(0)), "no load would end well"),
    ] {
        let said = refused.build().await.unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn without_a_runtime_or_its_timers_no_cache_is_built_and_it_is_said_why() {
    let refused = |built: Result<Cache<u64, String>, _>| {
        let said = built.err().map(|why: forebay_cache::BuildError| why.to_string());
        let said = said.expect("it is refused");
        assert!(said.contains("a tokio runtime with timers, such as `enable_all` makes"), "{said}");
    };
    let timeless = tokio::runtime::Builder::new_current_thread().build().unwrap();
    refused(timeless.block_on(names().0.build()));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(built) = std::pin::pin!(names().0.build()).poll(&mut cx) else {
        panic!("it waits")
    };
    refused(built);
}

#[tokio::test]
async fn a_key_that_is_too_long_is_an_error_and_no_panic() {
    let cache: Cache<String, u8> = Cache::builder("long").build().await.unwrap();
    let key = "k".repeat(20_000);
    assert!(matches!(cache.get(&key).await, Err(Error::Key(_))));
    assert!(matches!(cache.set(key.as_str(), 1).await, Err(Error::Key(_))));
    assert!(matches!(cache.delete(&key).await, Err(Error::Key(_))));
    assert!(matches!(cache.invalidate(&key).await, Err(Error::Key(_))));
    assert!(cache.peek(&key).is_none());
    let longest = "k".repeat(16_000);
    cache.set(&longest, 1).await.unwrap();
    assert!(cache.get(longest.as_str()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_hit_counts_once_whether_fresh_or_stale() {
    let (builder, hand) = names();
    let cache = builder.stale_while_refresh(secs(10)).build().await.unwrap();
    let calls = Calls::default();
    let word = || calls.word("a");
    cache.get_or_load(&1, word).await.unwrap();
    let hits = || cache.stats().tiers.memory_hits;
    let before = hits();
    cache.get_or_load(&1, word).await.unwrap();
    assert_eq!(hits() - before, 1);
    hand.advance(secs(11));
    assert!(!cache.get(&1).await.unwrap().unwrap().is_fresh());
    assert_eq!(hits() - before, 2);
}
