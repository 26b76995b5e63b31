//! Loaders that are called at once, fail, lag and panic, and those who wait for them.

use std::sync::{Arc, Mutex};

use forebay_cache::{
    Error, Event, Eviction, Freshness, KIB, Lagged, Level, Loaded, Value, millis, minutes, secs,
};

use crate::stage::{Calls, Gate, names, until};

#[tokio::test]
async fn p3_2_one_calls_the_loader_and_the_others_wait_for_its_value() {
    let cache = names().0.build().await.unwrap();
    let gate = Gate::default();
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (cache, gate) = (cache.clone(), gate.clone());
            tokio::spawn(async move { cache.get_or_load(&1, || gate.word("a")).await })
        })
        .collect();
    gate.begun().await;
    until("all wait", async || cache.stats().tiers.followed == 19).await;
    gate.open();
    let mut values = Vec::new();
    for one in many {
        let found = one.await.unwrap().unwrap();
        assert_eq!(found.from, Level::Loader);
        values.push(found.value.unwrap());
    }
    assert!(values.iter().all(|value| Value::ptr_eq(value, &values[0])));
    assert_eq!(gate.calls.now(), 1);
}

#[tokio::test]
async fn p3_2_who_waits_too_long_gets_an_error_or_what_is_stale() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).wait_limit(millis(50)).build().await.unwrap();
    let gate = Gate::default();
    let leads = {
        let (cache, gate) = (cache.clone(), gate.clone());
        tokio::spawn(async move { cache.get_or_load(&1, || gate.word("a")).await })
    };
    gate.begun().await;
    let waits = cache.get_or_load(&1, || gate.word("never")).await;
    assert!(matches!(waits, Err(Error::WaitedTooLong(limit)) if limit == millis(50)), "{waits:?}");
    gate.open();
    assert_eq!(leads.await.unwrap().unwrap().value.unwrap().as_str(), "a");
    assert_eq!((gate.calls.now(), cache.stats().waited_too_long), (1, 1));

    hand.advance(secs(11));
    let leads = {
        let (cache, gate) = (cache.clone(), gate.clone());
        tokio::spawn(async move { cache.get_or_load(&1, || gate.word("b")).await })
    };
    gate.begun().await;
    let waits = cache.get_or_load(&1, || gate.word("never")).await.unwrap();
    assert_eq!((waits.value.unwrap().as_str(), waits.freshness), ("a", Freshness::Stale));
    gate.open();
    assert_eq!(leads.await.unwrap().unwrap().value.unwrap().as_str(), "b");
    assert_eq!(cache.stats().revived, 0, "nobody failed");
}

#[tokio::test]
async fn p3_2_who_waits_too_long_is_told_as_well_that_it_did_not_exist() {
    let (builder, hand) = names();
    let builder = builder.negative_ttl(secs(2)).stale_on_error(minutes(5));
    let cache = builder.wait_limit(millis(50)).build().await.unwrap();
    cache.set(&1, None).await.unwrap();
    hand.advance(secs(3));
    let gate = Gate::default();
    let leads = {
        let (cache, gate) = (cache.clone(), gate.clone());
        tokio::spawn(async move { cache.get_or_load(&1, || gate.word("made")).await })
    };
    gate.begun().await;
    let waits = cache.get_or_load(&1, || gate.word("never")).await.unwrap();
    assert_eq!((waits.value, waits.freshness), (None, Freshness::Stale));
    gate.open();
    assert_eq!(leads.await.unwrap().unwrap().value.unwrap().as_str(), "made");
}

/// Keeps the warnings that its thread logs.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Warnings {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}: {value:?}"));
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, about: &tracing::Metadata<'_>) -> bool {
        *about.level() == tracing::Level::WARN
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn p3_7_a_load_that_failed_is_logged_though_something_stale_stands_in() {
    let warnings = Warnings::default();
    // Loads run in tasks, which have this thread as well.
    let _listening = tracing::subscriber::set_default(warnings.clone());
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).build().await.unwrap();
    cache.set(&1, "old".to_owned()).await.unwrap();
    hand.advance(secs(11));
    let calls = Calls::default();
    assert!(cache.get_or_load(&1, || calls.failure()).await.is_ok());
    let said = warnings.0.lock().unwrap().join(", ");
    assert!(said.contains("load failed") && said.contains("down 1"), "{said}");
}

#[tokio::test]
async fn a_loader_that_fails_with_twenty_waiters_runs_once_and_all_get_the_same_error() {
    let cache = names().0.build().await.unwrap();
    let (calls, gate) = (Calls::default(), Gate::default());
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (cache, calls, gate) = (cache.clone(), calls.clone(), gate.clone());
            let load = move || async move {
                gate.word("").await?;
                calls.failure().await
            };
            tokio::spawn(async move { cache.get_or_load(&1, load).await })
        })
        .collect();
    gate.begun().await;
    until("all wait", async || cache.stats().tiers.followed == 19).await;
    gate.open();
    for one in many {
        let Err(Error::Load(why)) = one.await.unwrap() else { panic!("no error of the loader") };
        assert_eq!(why.downcast_ref::<std::io::Error>().unwrap().to_string(), "down 1");
    }
    assert_eq!((gate.calls.now(), cache.stats().failed), (1, 1));
    // An error is not cached: the next call tries again.
    assert!(cache.get_or_load(&1, || calls.word("a")).await.is_ok());
}

#[tokio::test]
async fn a_loader_that_panics_is_told_to_all_who_wait() {
    let cache = names().0.build().await.unwrap();
    let gate = Gate::default();
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (cache, gate) = (cache.clone(), gate.clone());
            let load = move || async move {
                let word = gate.word("").await?;
                assert!(!word.is_empty(), "an empty {}", "word");
                Ok::<_, std::io::Error>(word)
            };
            tokio::spawn(async move { cache.get_or_load(&1, load).await })
        })
        .collect();
    gate.begun().await;
    until("all wait", async || cache.stats().tiers.followed == 19).await;
    gate.open();
    for one in many {
        let told = one.await.unwrap();
        assert!(
            matches!(&told, Err(Error::Panicked(why)) if &**why == "an empty word"),
            "{told:?}"
        );
    }
    assert_eq!((gate.calls.now(), cache.stats().panicked), (1, 1));
    // One that panics before it gives a future, too.
    let load = || -> std::future::Ready<Result<String, Error>> { panic!("before") };
    let told = cache.get_or_load(&1, load).await;
    assert!(matches!(&told, Err(Error::Panicked(why)) if &**why == "before"), "{told:?}");
    // Or with what is no text.
    let load = || async {
        if true { std::panic::panic_any(7_u8) } else { Ok::<String, Error>(String::new()) }
    };
    let told = cache.get_or_load(&1, load).await;
    assert!(matches!(&told, Err(Error::Panicked(why)) if &**why == "no words"), "{told:?}");
}

#[tokio::test]
async fn what_is_stale_is_given_at_once_while_one_loads_behind() {
    let (builder, hand) = names();
    let cache = builder.stale_while_refresh(secs(30)).build().await.unwrap();
    cache.set(&1, "old".to_owned()).await.unwrap();
    hand.advance(secs(11));
    let gate = Gate::default();
    for _ in 0..10 {
        let found = cache.get_or_load(&1, || gate.word("new")).await.unwrap();
        assert_eq!((found.value.unwrap().as_str(), found.freshness), ("old", Freshness::Stale));
    }
    gate.begun().await;
    gate.open();
    until("it is new", async || cache.get(&1).await.unwrap().unwrap().is_fresh()).await;
    assert_eq!(cache.get(&1).await.unwrap().unwrap().value.unwrap().as_str(), "new");
    assert_eq!((gate.calls.now(), cache.stats().refreshed), (1, 1));
    assert!(cache.stats().stale >= 10);
}

#[tokio::test]
async fn a_loader_can_be_told_what_is_stale_and_return_it_again() {
    let (builder, hand) = names();
    let cache = builder.stale_while_refresh(secs(30)).build().await.unwrap();
    let load = |stale: Option<Value<String>>| {
        let loaded = stale.map_or("new".to_owned(), |stale| format!("{stale} again"));
        std::future::ready(Ok::<_, Error>(Some(loaded)))
    };
    let get = async || {
        let found = cache.fetch(&1).load_with_stale(load).await.unwrap();
        found.value.unwrap().to_string()
    };
    assert_eq!(get().await, "new");
    assert_eq!(get().await, "new", "it is fresh");
    hand.advance(secs(50));
    assert_eq!(get().await, "new", "of no use to anybody any more, and gone from memory");
    hand.advance(secs(11));
    assert_eq!(get().await, "new");
    until("it is loaded behind", async || cache.get(&1).await.unwrap().unwrap().is_fresh()).await;
    assert_eq!(get().await, "new again");
    cache.invalidate(&1).await.unwrap();
    hand.advance(secs(31));
    assert_eq!(get().await, "new again again");
    cache.delete(&1).await.unwrap();
    assert_eq!(get().await, "new", "what is deleted is told to nobody");
    cache.set(&1, None).await.unwrap();
    cache.invalidate(&1).await.unwrap();
    hand.advance(secs(31));
    assert_eq!(get().await, "new", "that there was none is no value");
}

#[tokio::test]
async fn a_value_is_loaded_ahead_of_its_expiry() {
    let (builder, hand) = names();
    let cache = builder.refresh_ahead(1_000.0).build().await.unwrap();
    let (calls, by) = (Calls::default(), hand.clone());
    let slow = {
        let calls = calls.clone();
        move || async move {
            by.advance(secs(2));
            calls.word("a").await
        }
    };
    cache.get_or_load(&1, slow).await.unwrap();
    let found = cache.get_or_load(&1, || calls.word("b")).await.unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.freshness), ("a1", Freshness::Fresh));
    until("it is loaded", async || cache.peek(&1).unwrap().value.unwrap().as_str() == "b2").await;
}

#[tokio::test]
async fn events_tell_what_happened_and_a_slow_listener_how_much_it_missed() {
    let (builder, hand) = names();
    let cache = builder.stale_on_error(minutes(5)).build().await.unwrap();
    let mut events = cache.events();
    let calls = Calls::default();
    cache.get_or_load(&1, || calls.word("a")).await.unwrap();
    hand.advance(secs(11));
    cache.get_or_load(&1, || calls.failure()).await.unwrap();
    cache.set(&1, "b".to_owned()).await.unwrap();
    cache.delete(&1).await.unwrap();
    cache.purge_tag("eu").await.unwrap();
    cache.purge_all().await.unwrap();
    let mut told = Vec::new();
    while told.len() < 7 {
        told.push(events.next().await.unwrap().unwrap());
    }
    let kinds: Vec<_> = told
        .iter()
        .map(|event| match event {
            Event::Loaded { .. } => "loaded",
            Event::LoadFailed { error, .. } if error.to_string().starts_with("cannot load") => {
                "failed"
            }
            Event::Revived { .. } => "revived",
            Event::Set { .. } => "set",
            Event::Removed { .. } => "removed",
            Event::TagPurged { tag } => tag,
            Event::AllPurged => "all",
            _ => "else",
        })
        .collect();
    assert_eq!(kinds, ["loaded", "failed", "revived", "set", "removed", "eu", "all"]);
    for _ in 0..1_500 {
        cache.set(&1, "c".to_owned()).await.unwrap();
    }
    assert!(matches!(events.next().await, Some(Err(Lagged(missed))) if missed >= 400));
    drop(cache);
    while let Some(Ok(_)) = events.next().await {}
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_goes_from_memory_unasked_is_told_with_the_reason() {
    let (builder, hand) = names();
    let cache = builder.memory(64 * KIB).build().await.unwrap();
    let mut events = cache.events();
    let mut evicted = async || loop {
        if let Event::Evicted { key, why } = events.next().await.unwrap().unwrap() {
            return (key, why);
        }
    };
    for number in 0..500 {
        cache.set(&number, "a".to_owned()).await.unwrap();
    }
    let (key, why) = evicted().await;
    let number = u64::from_le_bytes(*key.as_bytes().last_chunk().unwrap());
    assert_eq!(why, Eviction::Room);
    assert!(cache.peek(&number).is_none());
    let evictions = cache.stats().tiers.evicted;
    assert_eq!(cache.stats().tiers.entries + evictions, 500);
    for _ in 1..evictions {
        assert_eq!(evicted().await.1, Eviction::Room);
    }
    let tagged = Loaded::of("b".to_owned()).tags(["eu"]);
    cache.set(&1_000, tagged).await.unwrap();
    cache.purge_tag("eu").await.unwrap();
    assert!(cache.get(&1_000).await.unwrap().is_none());
    while evicted().await.1 != Eviction::Purged {}
    cache.set(&2_000, "c".to_owned()).await.unwrap();
    hand.advance(secs(11));
    assert!(cache.get(&2_000).await.unwrap().is_none());
    while evicted().await.1 != Eviction::Expired {}
}

#[tokio::test]
async fn numbers_are_told_as_prometheus_reads_them() {
    let cache = names().0.build().await.unwrap();
    let calls = Calls::default();
    cache.get_or_load(&1, || calls.word("a")).await.unwrap();
    cache.get_or_load(&1, || calls.word("a")).await.unwrap();
    let mut text = String::new();
    cache.stats().write_prometheus(&mut text);
    assert!(text.contains("forebay_cache_loads_total{cache=\"names\"} 1\n"), "{text}");
    assert!(text.contains("forebay_cache_memory_hits_total{cache=\"names\"} 1\n"), "{text}");
    assert!(text.contains("# TYPE forebay_cache_entries gauge\n"), "{text}");
}
