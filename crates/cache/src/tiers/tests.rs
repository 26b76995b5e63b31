use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::body::{End, Reader};
use crate::tier::contract::{MapTier, Mood};

mod cluster;
mod model;
mod purged;
mod tiers;

type Small = Tiers<u32, &'static str>;

const LONG: Duration = Duration::from_secs(3_600);

fn clock() -> Clock {
    Clock::virtual_from(Timestamp::from_millis(1_000))
}

fn options() -> Options {
    Options { memory_bytes_max: 1 << 20, ..Options::default() }
}

fn small() -> Small {
    Tiers::new(&options(), clock())
}

fn over_map() -> (Small, Arc<MapTier>) {
    let (clock, options) = (clock(), options());
    let map = MapTier::new(clock.clone());
    (
        Tiers::with_tiers(
            &options,
            clock,
            &options.budget(),
            vec![map.clone()],
            None,
            Purges::default(),
        ),
        map,
    )
}

fn key(name: &str) -> Key {
    Key::from(name.as_bytes())
}

fn entry(cache: &Small, head: u32, keep: Duration) -> Arc<Entry<u32>> {
    let body = Body::whole(&Bytes::from_static(b"body"), None, cache.budget());
    Arc::new(Entry::new(head, body, cache.clock().now().plus(keep)))
}

fn lead(joined: Joined<u32, &'static str>) -> Flight<u32, &'static str> {
    match joined {
        Joined::Lead(flight) => flight,
        other => panic!("cannot lead: {other:?}"),
    }
}

fn follow(joined: Joined<u32, &'static str>) -> Follower<u32, &'static str> {
    match joined {
        Joined::Follow(follower) => follower,
        other => panic!("cannot follow: {other:?}"),
    }
}

async fn read(mut reader: Reader) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(slice) = reader.next().await {
        all.extend_from_slice(&slice.unwrap());
    }
    all
}

/// A client as the program is one: look, join, fetch from an origin that takes a second a chunk.
async fn ask(cache: Small, fetches: Arc<AtomicUsize>) -> Vec<u8> {
    let key = key("a");
    if let Some(found) = cache.look_up(&key).await {
        return read(found.entry.body().reader().unwrap()).await;
    }
    let flight = match cache.join(&key, None) {
        Joined::Lead(flight) => flight,
        Joined::Filled(entry) => return read(entry.body().reader().unwrap()).await,
        Joined::Unshared => panic!("it is shareable"),
        Joined::Follow(follower) => match cache.wait(follower, LONG).await {
            Ending::Filled(entry) => return read(entry.body().reader().unwrap()).await,
            other => panic!("not filled: {other:?}"),
        },
    };
    fetches.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut writer, body) = cache.arriving(None);
    let reader = body.reader().unwrap();
    cache.fill(flight, 1, body, Timestamp::FAR);
    tokio::spawn(async move {
        for chunk in [&b"ab"[..], b"cd", b"ef"] {
            tokio::time::sleep(Duration::from_secs(1)).await;
            writer.push(Bytes::from_static(chunk)).unwrap();
        }
        writer.finish(None);
    });
    read(reader).await
}

#[tokio::test(start_paused = true)]
async fn a_thousand_clients_of_a_cold_key_cause_one_fetch_whenever_they_come() {
    let (cache, fetches) = (small(), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for number in 0..1_000 {
        clients.push(tokio::spawn(ask(cache.clone(), Arc::clone(&fetches))));
        if number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
    for client in clients {
        assert_eq!(client.await.unwrap(), b"abcdef");
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    let counts = cache.snapshot();
    assert_eq!((counts.led, counts.filled, counts.flights, counts.entries), (1, 1, 0, 1));
    assert_eq!(counts.led + counts.followed + counts.memory_hits, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_did_not_end_whole_is_never_kept() {
    let cache = small();
    let (mut writer, body) = cache.arriving(None);
    cache.fill(lead(cache.join(&key("a"), None)), 1, body, Timestamp::FAR);
    writer.push(Bytes::from_static(b"ab")).unwrap();
    assert!(matches!(cache.join(&key("a"), None), Joined::Filled(_)));
    writer.abort("origin closed");
    assert!(cache.look_up(&key("a")).await.is_none());
    lead(cache.join(&key("a"), None)).abandon("enough");

    let (mut writer, body) = cache.arriving(Some(100 << 20));
    let mut reader = body.reader().unwrap();
    cache.fill(lead(cache.join(&key("b"), None)), 1, body, Timestamp::FAR);
    for _ in 0..100 {
        writer.room().await.unwrap();
        writer.push(Bytes::from(vec![0; 1 << 20])).unwrap();
        reader.next().await.unwrap().unwrap();
    }
    assert_eq!(writer.finish(None), End::PassedThrough);
    assert!(cache.look_up(&key("b")).await.is_none());
    assert_eq!((cache.snapshot().flights, cache.snapshot().windowed), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn who_gets_the_lead_late_is_given_what_was_filled_meanwhile() {
    let cache = small();
    let seen = entry(&cache, 1, LONG);
    cache.insert(&key("a"), &seen);
    // Seen by the caller, so it does lead; and its follower had seen the same.
    let leader = lead(cache.join(&key("a"), Some(&seen)));
    let follower = follow(cache.join(&key("a"), Some(&seen)));
    cache.insert(&key("a"), &entry(&cache, 2, LONG));
    drop(leader);
    let ending = cache.wait(follower, LONG).await;
    assert!(matches!(ending, Ending::Filled(entry) if *entry.head() == 2));
    assert!(matches!(cache.join(&key("a"), Some(&seen)), Joined::Filled(_)));
    assert!(matches!(cache.refresh(&key("a"), &seen), Refresh::Filled(_)));
    assert_eq!(cache.snapshot().flights, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_rests_and_the_entry_outlives_it_when_told_to() {
    let cache = small();
    let stale = entry(&cache, 1, Duration::from_secs(5));
    cache.insert(&key("a"), &stale);
    let Refresh::Lead(flight) = cache.refresh(&key("a"), &stale) else { panic!("not led") };
    assert!(matches!(cache.refresh(&key("a"), &stale), Refresh::Underway));
    stale.extend_keep(cache.clock().now().plus(Duration::from_secs(60)));
    tokio::time::advance(Duration::from_secs(6)).await;
    flight.rest("refused", Duration::from_secs(30));
    assert!(matches!(cache.refresh(&key("a"), &stale), Refresh::Resting(_)));
    assert!(cache.look_up_memory(b"a").is_some());
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(matches!(cache.refresh(&key("a"), &stale), Refresh::Lead(_)));
    cache.rest(&key("a"), LONG);
    assert!(cache.resting(b"a").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_while_it_is_fetched_is_not_kept() {
    let cache = small();
    let (mut writer, body) = cache.arriving(None);
    let flight = lead(cache.join(&key("a"), None));
    cache.remove(&key("a")).await;
    cache.fill(flight, 1, body.clone(), Timestamp::FAR);
    let mut reader = body.reader().unwrap();
    writer.push(Bytes::from_static(b"old")).unwrap();
    writer.finish(None);
    assert_eq!(reader.next().await.unwrap().unwrap(), "old", "its own readers still get it");
    assert!(cache.look_up(&key("a")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_freshened_entry_shares_the_body_of_the_old() {
    let cache = small();
    let old = entry(&cache, 1, LONG);
    cache.insert(&key("a"), &old);
    let bytes = cache.budget().bytes();
    let flight = lead(cache.join(&key("a"), Some(&old)));
    let new = cache.fill(flight, 2, old.body().clone(), Timestamp::FAR);
    let newer =
        cache.replace_head(&key("a"), &new, 3, Timestamp::FAR, cache.epoch_now(), None).unwrap();
    assert!(
        cache.replace_head(&key("a"), &old, 4, Timestamp::FAR, cache.epoch_now(), None).is_none()
    );
    assert!(Arc::ptr_eq(&cache.look_up_memory(b"a").unwrap(), &newer));
    assert_eq!((cache.budget().bytes(), cache.snapshot().entries), (bytes, 1));
}

#[tokio::test(start_paused = true)]
async fn a_variant_is_kept_under_its_own_key_and_ends_the_flight_of_the_other() {
    let cache = small();
    let flight = lead(cache.join(&key("primary"), None));
    cache.fill_under(flight, key("variant").into(), 1, Body::empty(), Timestamp::FAR);
    assert!(cache.look_up_memory(b"variant").is_some());
    assert!(cache.look_up_memory(b"primary").is_none());
    assert_eq!(cache.snapshot().flights, 0);
}

#[tokio::test(start_paused = true)]
async fn a_hit_below_is_promoted_with_the_rest_of_its_time() {
    let (cache, map) = over_map();
    let below = entry(&cache, 1, Duration::from_secs(10));
    map.entries.lock().insert(key("a"), below);
    tokio::time::advance(Duration::from_secs(4)).await;
    let found = cache.look_up(&key("a")).await.unwrap();
    assert_eq!((found.tier, *found.entry.head()), ("map", 1));
    assert_eq!(cache.look_up(&key("a")).await.unwrap().tier, "memory");
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(cache.look_up(&key("a")).await.is_none());
    assert_eq!((cache.snapshot().tiers[0].hits, cache.snapshot().tiers[0].misses), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_tier_that_fails_or_is_late_is_a_miss_and_a_count() {
    let (cache, map) = over_map();
    map.entries.lock().insert(key("a"), entry(&cache, 1, LONG));
    for mood in [Mood::Fails, Mood::Late] {
        *map.mood.lock() = mood;
        let began = tokio::time::Instant::now();
        assert!(cache.look_up(&key("a")).await.is_none());
        assert!(began.elapsed() <= Duration::from_millis(260));
        cache.remove(&key("other")).await;
    }
    let counts = &cache.snapshot().tiers[0];
    assert_eq!((counts.failed, counts.late, counts.misses), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_filled_goes_below_behind_the_answer_in_a_bound() {
    let clock = clock();
    let map = MapTier::new(clock.clone());
    let options = Options { puts_max: 1, ..options() };
    let cache: Small = Tiers::with_tiers(
        &options,
        clock,
        &options.budget(),
        vec![map.clone()],
        None,
        Purges::default(),
    );
    *map.mood.lock() = Mood::Late;
    cache.insert(&key("a"), &entry(&cache, 1, LONG));
    cache.insert(&key("b"), &entry(&cache, 2, LONG));
    assert!(map.entries.lock().is_empty());
    tokio::time::sleep(options.put_wait_max + Duration::from_secs(1)).await;
    *map.mood.lock() = Mood::Well;
    cache.insert(&key("c"), &entry(&cache, 3, LONG));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(map.entries.lock().keys().collect::<Vec<_>>(), [&key("c")]);
    let counts = cache.snapshot();
    assert_eq!((counts.puts_dropped, counts.tiers[0].late), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_while_it_moves_between_tiers_stays_removed() {
    let (cache, map) = over_map();
    // On its way up: read below before the removal, promoted when its body ends after it.
    let (writer, body) = cache.arriving(None);
    map.entries.lock().insert(key("up"), Arc::new(Entry::new(1, body, Timestamp::FAR)));
    assert_eq!(cache.look_up(&key("up")).await.unwrap().tier, "map");
    cache.remove(&key("up")).await;
    writer.finish(None);
    assert!(cache.look_up(&key("up")).await.is_none());
    // On its way down: put begins before the removal and lands after it.
    cache.insert(&key("down"), &entry(&cache, 1, LONG));
    cache.remove(&key("down")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(cache.look_up(&key("down")).await.is_none());
    assert!(map.entries.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn callers_may_leave_at_any_await() {
    let (cache, map) = over_map();
    *map.mood.lock() = Mood::Late;
    let a_moment = Duration::from_millis(1);
    let fetched = lead(cache.join(&key("a"), None));
    let left = follow(cache.join(&key("a"), None));
    let stays = follow(cache.join(&key("a"), None));
    tokio::time::timeout(a_moment, cache.look_up(&key("a"))).await.unwrap_err();
    tokio::time::timeout(a_moment, cache.wait(left, LONG)).await.unwrap_err();
    tokio::time::timeout(a_moment, cache.remove(&key("b"))).await.unwrap_err();
    drop(fetched);
    assert!(matches!(cache.wait(stays, LONG).await, Ending::Lead(_)));
    assert_eq!(cache.snapshot().flights, 0);
}

#[tokio::test(start_paused = true)]
async fn the_sweep_reclaims_what_nobody_asks_for() {
    let cache = small();
    let sweeping = cache.clone();
    let sweep = tokio::spawn(async move { sweeping.sweep(Duration::from_secs(10)).await });
    for number in 0..1_000_u32 {
        cache.insert(&key(&number.to_string()), &entry(&cache, number, Duration::from_secs(5)));
    }
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(cache.snapshot().entries, 0);
    assert_eq!(cache.snapshot().body_bytes, 0);
    sweep.abort();
}

#[tokio::test(start_paused = true)]
async fn bodies_that_nobody_reads_on_stay_within_the_budget_and_a_short_window_each() {
    let options = Options { arriving_bytes_max: 100_000, ..options() };
    let cache: Small = Tiers::new(&options, clock());
    let mut arriving = Vec::new();
    for _ in 0..100 {
        let (mut writer, body) = cache.arriving(None);
        let reader = body.reader().unwrap();
        let moment = Duration::from_millis(1);
        while let Ok(Ok(())) = tokio::time::timeout(moment, writer.room()).await {
            writer.push(Bytes::from(vec![0; 4_000])).unwrap();
        }
        arriving.push((writer, reader));
    }
    let windows = (256 << 10) + 100 * ((16 << 10) + 4_000);
    let alive = cache.budget().bytes();
    assert!(alive <= cache.budget().bytes_max() + windows, "{alive}");
    drop(arriving);
    assert_eq!(cache.budget().bytes(), 0);
}

#[test]
fn everything_may_be_used_from_any_thread() {
    fn is_send_and_sync<T: Send + Sync + 'static>(_: Option<T>) {}
    fn is_send<T: Send>(_: impl FnOnce() -> T) {}
    is_send_and_sync::<Small>(None);
    is_send_and_sync::<(Flight<u32, ()>, Follower<u32, ()>, Body, BodyWriter, Reader)>(None);
    let cache = small_outside_of_a_runtime();
    let (cache, key) = (&cache, &key("a"));
    is_send(move || cache.look_up(key));
    is_send(move || cache.remove(key));
    is_send(move || cache.sweep(LONG));
}

fn small_outside_of_a_runtime() -> Small {
    Tiers::new(&options(), Clock::system())
}
