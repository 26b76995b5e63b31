//! What a purge has killed is found nowhere, whoever fetched it and whenever it arrives.

use super::*;
use crate::log::{Log, MemoryLog};
use crate::purge::{Group, Kind, Prefix, Rule, Scope, Verdict};

struct Stage {
    cache: Small,
    map: Arc<MapTier>,
    log: MemoryLog,
}

impl Stage {
    fn new() -> Self {
        let (clock, options) = (clock(), options());
        let map = MapTier::new(clock.clone());
        let log = MemoryLog::new("here", Default::default(), clock.clone());
        let (budget, purges) = (options.budget(), log.purges().clone());
        let below: Vec<Arc<dyn Tier<u32>>> = vec![map.clone()];
        let cache = Tiers::with_tiers(&options, clock, &budget, below, None, purges);
        Self { cache, map, log }
    }

    async fn purge(&self, kind: Kind, name: &str) {
        let scope = Scope::Group(Group::of("key", name.as_bytes()));
        self.log.append(vec![Rule { scope, kind }]).await.unwrap();
    }

    fn fetched(&self, head: u32) -> Arc<Entry<u32>> {
        let body = Body::whole(&Bytes::from_static(b"body"), None, self.cache.budget());
        Arc::new(Entry::new(head, body, Timestamp::FAR).since(self.cache.epoch_now()))
    }

    async fn held_below(&self, name: &str) -> bool {
        self.map.look_up(&key(name)).await.unwrap().is_some()
    }
}

async fn settled() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_is_found_in_no_tier_and_reclaimed_from_each() {
    let stage = Stage::new();
    stage.cache.insert(&key("a"), &stage.fetched(1));
    stage.cache.insert(&key("b"), &stage.fetched(2));
    settled().await;
    assert!(stage.held_below("a").await);
    stage.purge(Kind::Hard, "a").await;
    assert!(stage.cache.peek(b"a").is_none() && stage.cache.peek(b"b").is_some());
    assert!(stage.cache.look_up_memory(b"a").is_none());
    assert!(stage.cache.look_up(&key("a")).await.is_none());
    settled().await;
    assert!(!stage.held_below("a").await && stage.held_below("b").await);
    let counts = stage.cache.snapshot();
    assert_eq!((counts.purged, counts.entries), (2, 1));
    stage.cache.insert(&key("a"), &stage.fetched(3));
    assert_eq!(stage.cache.look_up(&key("a")).await.map(|found| *found.entry.head()), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_tier_below_a_purged_entry_is_still_asked() {
    let (clock, options) = (clock(), options());
    let maps = [MapTier::new(clock.clone()), MapTier::new(clock.clone())];
    let log = MemoryLog::new("here", Default::default(), clock.clone());
    let below = maps.iter().map(|map| map.clone() as Arc<dyn Tier<u32>>).collect();
    let (budget, purges) = (options.budget(), log.purges().clone());
    let cache: Small = Tiers::with_tiers(&options, clock, &budget, below, None, purges);
    let entry = |head| {
        let body = Body::whole(&Bytes::from_static(b"body"), None, cache.budget());
        Arc::new(Entry::new(head, body, Timestamp::FAR).since(cache.epoch_now()))
    };
    maps[0].put(&key("a"), entry(1), None).await.unwrap();
    log.append(vec![Rule { scope: Scope::Everything, kind: Kind::Hard }]).await.unwrap();
    maps[1].put(&key("a"), entry(2), None).await.unwrap();
    assert_eq!(cache.look_up(&key("a")).await.map(|found| *found.entry.head()), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_soft_purge_leaves_the_entry_and_says_since_when_it_is_stale() {
    let stage = Stage::new();
    stage.cache.insert(&key("a"), &stage.fetched(1));
    tokio::time::advance(Duration::from_secs(5)).await;
    let since = stage.cache.clock().now();
    stage.purge(Kind::Soft, "a").await;
    let entry = stage.cache.look_up_memory(b"a").unwrap();
    assert_eq!(stage.cache.judge(&entry, b"a"), Verdict::Stale { since, by: 1 });
    let now = stage.cache.epoch_now();
    let fresh = stage.cache.replace_head(&key("a"), &entry, 2, Timestamp::FAR, now, None).unwrap();
    assert_eq!(stage.cache.judge(&fresh, b"a"), Verdict::Alive);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_a_purge_overtook_is_not_kept_anywhere() {
    let stage = Stage::new();
    let flight = lead(stage.cache.join(&key("a"), None));
    let (mut writer, body) = stage.cache.arriving(None);
    stage.cache.fill(flight, 1, body, Timestamp::FAR);
    writer.push(Bytes::from_static(b"ab")).unwrap();
    stage.purge(Kind::Hard, "a").await;
    let late = lead(stage.cache.join(&key("a"), None));
    writer.finish(None);
    settled().await;
    assert!(stage.cache.look_up(&key("a")).await.is_none());
    assert!(!stage.held_below("a").await);
    let (writer, body) = stage.cache.arriving(None);
    stage.cache.fill(late, 2, body, Timestamp::FAR);
    writer.finish(None);
    settled().await;
    assert_eq!(stage.cache.look_up(&key("a")).await.map(|found| *found.entry.head()), Some(2));
    assert!(stage.held_below("a").await);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_fetch_that_was_purged_waits_for_one_more_and_no_herd_comes() {
    let stage = Stage::new();
    let first = lead(stage.cache.join(&key("a"), None));
    let fetches = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..100 {
        let (cache, fetches) = (stage.cache.clone(), Arc::clone(&fetches));
        clients.push(tokio::spawn(async move {
            let follower = follow(cache.join(&key("a"), None));
            let flight = match cache.wait(follower, LONG).await {
                Ending::Filled(entry) => return *entry.head(),
                Ending::Lead(flight) => flight,
                other => panic!("neither filled nor led: {other:?}"),
            };
            fetches.fetch_add(1, Ordering::SeqCst);
            let (writer, body) = cache.arriving(None);
            let entry = cache.fill(flight, 2, body, Timestamp::FAR);
            writer.finish(None);
            *entry.head()
        }));
    }
    settled().await;
    stage.purge(Kind::Hard, "a").await;
    let (writer, body) = stage.cache.arriving(None);
    stage.cache.fill(first, 1, body, Timestamp::FAR);
    writer.finish(None);
    for client in clients {
        assert_eq!(client.await.unwrap(), 2);
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_alone_bears_the_purges_of_when_it_began() {
    let stage = Stage::new();
    let mark = stage.cache.mark(b"a");
    stage.purge(Kind::Hard, "a").await;
    let body = Body::whole(&Bytes::from_static(b"old"), None, stage.cache.budget());
    let entry = Arc::new(Entry::new(1, body, Timestamp::FAR).since(mark.epoch()));
    assert!(!stage.cache.insert_unless_removed(key("a").into(), &entry, b"a", mark, None));
    settled().await;
    assert!(!stage.held_below("a").await);
    // Had it never been told when it was fetched, it would be held for unproven.
    let body = Body::whole(&Bytes::from_static(b"?"), None, stage.cache.budget());
    let untold = Arc::new(Entry::new(2, body, Timestamp::FAR));
    assert_eq!(stage.cache.judge(&untold, b"a"), Verdict::Unproven);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_gets_no_new_head_although_its_origin_confirms_it() {
    let stage = Stage::new();
    stage.cache.insert(&key("a"), &stage.fetched(1));
    let seen = stage.cache.look_up_memory(b"a").unwrap();
    stage.purge(Kind::Hard, "a").await;
    let now = stage.cache.epoch_now();
    let confirmed = stage.cache.replace_head(&key("a"), &seen, 2, Timestamp::FAR, now, None);
    assert!(confirmed.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_an_older_look_below_does_not_get_what_was_purged_meanwhile() {
    let stage = Stage::new();
    stage.map.put(&key("a"), stage.fetched(1), None).await.unwrap();
    *stage.map.mood.lock() = Mood::Slow;
    let look = |cache: Small| async move { cache.look_up(&key("a")).await.is_some() };
    let before = tokio::spawn(look(stage.cache.clone()));
    settled().await;
    stage.purge(Kind::Hard, "a").await;
    assert!(!look(stage.cache.clone()).await);
    assert!(!before.await.unwrap());
    assert_eq!(stage.map.look_ups.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_tier_has_at_hand_is_not_given_when_it_was_purged() {
    let stage = Stage::new();
    stage.map.put(&key("a"), stage.fetched(1), None).await.unwrap();
    stage.purge(Kind::Hard, "a").await;
    *stage.map.mood.lock() = Mood::AtHand;
    assert!(stage.cache.look_up_at_once(&key("a")).is_none());
    assert!(stage.cache.look_up(&key("a")).await.is_none());
    settled().await;
    assert!(!stage.held_below("a").await);
}

#[tokio::test(start_paused = true)]
async fn the_sweep_reclaims_what_nobody_asks_for_any_more() {
    let stage = Stage::new();
    for number in 0..100 {
        stage.cache.insert(&key(&format!("/{number:03}")), &stage.fetched(number));
    }
    let bytes = Prefix::new(Group::of("all", b""), b"/00").unwrap();
    let rule = Rule { scope: Scope::Prefix(bytes), kind: Kind::Hard };
    stage.log.append(vec![rule]).await.unwrap();
    let cache = stage.cache.clone();
    let sweep = tokio::spawn(async move { cache.sweep(Duration::from_secs(1)).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    sweep.abort();
    let counts = stage.cache.snapshot();
    assert_eq!((counts.purged, counts.entries), (10, 90));
}

#[tokio::test(start_paused = true)]
async fn what_a_purge_has_killed_goes_before_what_lives_when_memory_is_full() {
    let stage = Stage::new();
    let cache = stage.cache.clone();
    let sweep = tokio::spawn(async move { cache.sweep(Duration::from_secs(3_600)).await });
    let mut count = 0;
    while !stage.cache.memory().is_nearly_full() {
        let half = ["/dead", "/live"][count % 2];
        stage.cache.insert(&key(&format!("{half}/{count}")), &stage.fetched(0));
        count += 1;
    }
    let dead = Prefix::new(Group::of("all", b""), b"/dead").unwrap();
    let rule = Rule { scope: Scope::Prefix(dead), kind: Kind::Hard };
    stage.log.append(vec![rule]).await.unwrap();
    while stage.cache.snapshot().purged < count.div_ceil(2) as u64 {
        tokio::task::yield_now().await;
    }
    let before = stage.cache.snapshot().evicted;
    for number in 0..count / 3 {
        stage.cache.insert(&key(&format!("/new/{number}")), &stage.fetched(0));
    }
    assert_eq!(stage.cache.snapshot().evicted, before);
    sweep.abort();
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_judged_once_between_two_purges() {
    let stage = Stage::new();
    stage.purge(Kind::Hard, "other").await;
    let entry = stage.fetched(1);
    let version = stage.cache.purges().version();
    assert!(!entry.is_alive_at(version));
    stage.cache.insert(&key("a"), &entry);
    assert!(stage.cache.look_up_memory(b"a").is_some() && entry.is_alive_at(version));
    stage.purge(Kind::Hard, "another").await;
    assert!(!entry.is_alive_at(stage.cache.purges().version()));
    assert!(stage.cache.look_up_memory(b"a").is_some());
    assert!(entry.is_alive_at(stage.cache.purges().version()));
}
