//! Memory over tiers: look-ups for many, what memory does not keep, what other nodes have.

use super::*;
use crate::tier::Reach;

async fn put(map: &MapTier, name: &str, entry: &Arc<Entry<u32>>) {
    map.put(&key(name), Arc::clone(entry), None).await.unwrap();
}

async fn settled() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn many_who_want_what_memory_does_not_have_ask_the_tiers_once() {
    let (cache, map) = over_map();
    put(&map, "a", &entry(&cache, 1, LONG)).await;
    *map.mood.lock() = Mood::Slow;
    let mut clients = Vec::new();
    for _ in 0..1_000 {
        let cache = cache.clone();
        clients.push(tokio::spawn(async move { cache.look_up(&key("a")).await.unwrap().tier }));
    }
    for client in clients {
        assert_eq!(client.await.unwrap(), "map");
    }
    assert_eq!(map.look_ups.load(Ordering::SeqCst), 1);
    assert_eq!(cache.look_up(&key("a")).await.unwrap().tier, "memory");
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_looks_himself_when_the_one_who_looked_has_left() {
    let (cache, map) = over_map();
    put(&map, "a", &entry(&cache, 1, LONG)).await;
    *map.mood.lock() = Mood::Slow;
    let look = |cache: Small| async move { cache.look_up(&key("a")).await.is_some() };
    let first = tokio::spawn(look(cache.clone()));
    settled().await;
    let second = tokio::spawn(look(cache.clone()));
    settled().await;
    first.abort();
    assert!(second.await.unwrap());
    assert_eq!(map.look_ups.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_nearest_tier_has_at_hand_is_found_without_a_wait_and_promoted() {
    let (cache, map) = over_map();
    put(&map, "a", &entry(&cache, 1, LONG)).await;
    assert!(cache.look_up_at_once(&key("a")).is_none(), "it is to be waited for");
    *map.mood.lock() = Mood::AtHand;
    assert!(cache.look_up_at_once(&key("b")).is_none());
    assert_eq!(cache.look_up_at_once(&key("a")).unwrap().tier, "map");
    assert_eq!(cache.look_up_memory(b"a").map(|it| *it.head()), Some(1));
    let counts = cache.snapshot();
    assert_eq!((counts.misses, counts.tiers[0].hits, counts.tiers[0].misses), (0, 1, 0));
    // Nothing is left behind by which anybody else would wait.
    assert_eq!(cache.look_up(&key("a")).await.unwrap().tier, "memory");
    assert!(cache.look_up(&key("b")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_looked_for_already_is_not_looked_for_at_once_as_well() {
    let (cache, map) = over_map();
    put(&map, "a", &entry(&cache, 1, LONG)).await;
    *map.mood.lock() = Mood::Slow;
    let look = |cache: Small| async move { cache.look_up(&key("a")).await.is_some() };
    let first = tokio::spawn(look(cache.clone()));
    settled().await;
    *map.mood.lock() = Mood::AtHand;
    assert!(cache.look_up_at_once(&key("a")).is_none());
    assert!(first.await.unwrap());
    assert_eq!(map.look_ups.load(Ordering::SeqCst), 1);
}

/// A cache whose memory keeps bodies of eight bytes at most.
fn narrow() -> (Small, Arc<MapTier>) {
    let (clock, options) = (clock(), Options { kept_bytes_max: Some(8), ..options() });
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

#[tokio::test(start_paused = true)]
async fn what_memory_does_not_keep_goes_below_while_it_arrives() {
    for announced in [None, Some(12)] {
        let (cache, map) = narrow();
        let (mut writer, body) = cache.arriving(announced);
        let client = body.reader().unwrap();
        cache.fill(lead(cache.join(&key("a"), None)), 7, body, Timestamp::FAR);
        for _ in 0..3 {
            writer.room().await.unwrap();
            writer.push(Bytes::from_static(b"four")).unwrap();
        }
        assert_eq!(writer.finish(None), End::PassedThrough);
        assert_eq!(read(client).await, b"fourfourfour");
        settled().await;
        assert_eq!(cache.snapshot().entries, 0);
        assert_eq!(map.entries.lock().len(), 1, "{announced:?}");
        let found = cache.look_up(&key("a")).await.unwrap();
        assert_eq!((found.tier, *found.entry.head()), ("map", 7));
        assert_eq!(read(found.entry.body().reader().unwrap()).await, b"fourfourfour");
    }
}

#[tokio::test(start_paused = true)]
async fn what_broke_on_its_way_below_is_not_there() {
    let (cache, map) = narrow();
    put(&map, "a", &entry(&cache, 1, LONG)).await;
    let (mut writer, body) = cache.arriving(Some(12));
    let _client = body.reader().unwrap();
    cache.fill(lead(cache.join(&key("a"), None)), 7, body, Timestamp::FAR);
    settled().await;
    writer.push(Bytes::from_static(b"four")).unwrap();
    drop(writer);
    settled().await;
    assert_eq!(map.entries.lock().get(&key("a")).map(|it| *it.head()), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_while_it_went_below_is_not_there() {
    let (cache, map) = narrow();
    let (mut writer, body) = cache.arriving(Some(12));
    let _client = body.reader().unwrap();
    cache.fill(lead(cache.join(&key("a"), None)), 7, body, Timestamp::FAR);
    settled().await;
    writer.push(Bytes::from_static(b"four")).unwrap();
    cache.remove(&key("a")).await;
    writer.push(Bytes::from_static(b"fourfour")).unwrap();
    writer.finish(None);
    settled().await;
    assert!(map.entries.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_another_node_stored_takes_the_place_of_what_memory_holds() {
    let (cache, map) = over_map();
    *map.reach.lock() = Reach::Cluster;
    let own = entry(&cache, 1, LONG);
    cache.insert(&key("a"), &own);
    settled().await;
    assert!(
        matches!(cache.look_up_shared(&key("a")).await, Shared::Older(it) if it == own.stamp())
    );
    put(&map, "a", &entry(&cache, 2, LONG)).await;
    assert!(matches!(cache.look_up_shared(&key("a")).await, Shared::Newer(it) if *it.head() == 2));
    assert_eq!(cache.look_up_memory(b"a").map(|it| *it.head()), Some(2));
    assert!(matches!(cache.look_up_shared(&key("b")).await, Shared::Nothing));
}
