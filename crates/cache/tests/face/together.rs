//! A disk and a Redis below one memory.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use forebay_cache::mechanism::Trust;
use forebay_cache::{
    Builder, Cache, Error, Event, Level, Loaded, MIB, Postcard, Redis, millis, minutes, secs,
};

use crate::disk::Shouting;
use crate::servers::{RedisServer, own_directory};
use crate::stage::{Calls, PATIENCE, until};

/// A Redis, and what one process keeps beside it. Both go with the test.
struct Ground {
    server: RedisServer,
    directory: PathBuf,
}

impl Ground {
    fn new() -> Self {
        Self { server: RedisServer::on_socket(&[]), directory: own_directory() }
    }

    /// As another process would open it.
    async fn elsewhere(&self) -> Redis {
        let address = format!("unix://{}", self.server.socket().display());
        let builder = Redis::builder(&address).timeout(secs(2)).connect_timeout(secs(20));
        builder.doubt_after(secs(20)).open().await.unwrap()
    }

    /// As the process with the disk opens it; it does not wait long for one that is away.
    async fn redis(&self) -> Redis {
        let address = format!("unix://{}", self.server.socket().display());
        let began = tokio::time::Instant::now();
        loop {
            let builder = Redis::builder(&address).timeout(millis(500)).doubt_after(millis(800));
            let builder = builder.journal(self.directory.join("purges"));
            match builder.connect_timeout(secs(1)).open().await {
                Ok(redis) => return redis,
                // The one before it lets go of its journal when its last task has ended.
                Err(why) => assert!(began.elapsed() < PATIENCE, "{why}"),
            }
            tokio::time::sleep(millis(5)).await;
        }
    }

    /// As [`Ground::redis`], with Redis there.
    async fn heard(&self) -> Redis {
        let redis = self.redis().await;
        until("the log is heard", async || redis.trust() == Trust::Sure).await;
        redis
    }

    fn builder(&self, redis: &Redis) -> Builder<u64, String, Postcard> {
        let builder = Cache::builder("names").disk(self.directory.join("cache"), 16 * MIB);
        builder.redis(redis).ttl(minutes(5)).stale_on_error(minutes(5)).others_wait(PATIENCE)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

async fn both_have<V: Send + Sync>(cache: &Cache<u64, V>, count: u64) {
    until("both have it", async || {
        cache.stats().tiers.tiers.iter().all(|tier| tier.stored >= count)
    })
    .await;
}

#[tokio::test]
async fn they_are_looked_into_in_this_order() {
    let ground = Ground::new();
    let shared = ground.heard().await;
    let both = ground.builder(&shared).build().await.unwrap();
    both.set(&1, "a".to_owned()).await.unwrap();
    both.close().await;
    let both = ground.builder(&shared).build().await.unwrap();
    assert_eq!(both.get(&1).await.unwrap().unwrap().from, Level::Disk);
    let other = ground.elsewhere().await;
    let other: Cache<u64, String> = Cache::builder("names").redis(&other).build().await.unwrap();
    other.set(&1, "b".to_owned()).await.unwrap();
    assert_eq!(both.get(&1).await.unwrap().unwrap().from, Level::Redis, "dead on the disk as well");
    both.close().await;
}

#[tokio::test]
async fn a_value_is_encoded_once_for_both() {
    let ground = Ground::new();
    let (shared, codec) = (ground.heard().await, Shouting::default());
    let cache = ground.builder(&shared).codec(codec.clone()).build().await.unwrap();
    let (calls, mut events) = (Calls::default(), cache.events());
    for key in 1..=10 {
        cache.get_or_load(&key, || calls.word("loaded")).await.unwrap();
        both_have(&cache, key).await;
    }
    assert_eq!(codec.0.load(Ordering::SeqCst), 10);
    for key in 11..=20 {
        cache.set(&key, "set".to_owned()).await.unwrap();
    }
    both_have(&cache, 20).await;
    assert_eq!(codec.0.load(Ordering::SeqCst), 20);
    // That it cannot be is found out, counted and told once as well.
    cache.set(&21, "\0".to_owned()).await.unwrap();
    assert_eq!((codec.0.load(Ordering::SeqCst), cache.stats().not_encoded), (21, 1));
    cache.set(&22, "last".to_owned()).await.unwrap();
    let mut told = 0;
    loop {
        match events.next().await.unwrap().unwrap() {
            Event::NotEncoded { .. } => told += 1,
            Event::Set { .. } if told > 0 && cache.stats().not_encoded == 1 => break,
            _ => {}
        }
    }
    assert_eq!(told, 1);
    cache.close().await;
}

#[tokio::test]
async fn both_without_a_journal_are_refused() {
    let ground = Ground::new();
    let refused = ground.builder(&ground.elsewhere().await).build().await.unwrap_err();
    assert!(
        refused.to_string().contains("Redis::builder(address).journal(directory)"),
        "{refused}"
    );
    let taken = ground.redis().await;
    let address = format!("unix://{}", ground.server.socket().display());
    let second = Redis::builder(&address).journal(ground.directory.join("purges")).open().await;
    let second = second.unwrap_err().to_string();
    assert!(second.starts_with("cannot keep a journal of purges: cannot lock"), "{second}");
    drop(taken);
}

/// What is given for a key whose loader fails.
async fn without_source(cache: &Cache<u64, String>, key: u64) -> Option<String> {
    let calls = Calls::default();
    match cache.get_or_load(&key, || calls.failure()).await {
        Ok(found) => Some(found.value.unwrap().to_string()),
        Err(Error::Load(_)) => None,
        Err(other) => panic!("{key}: {other}"),
    }
}

async fn from(first: u64, cache: &Cache<u64, String>) -> Vec<Option<String>> {
    let mut all = Vec::new();
    for key in first..=6 {
        all.push(without_source(cache, key).await);
    }
    all
}

#[tokio::test]
async fn what_was_removed_never_comes_back_from_the_disk_though_redis_is_away_or_lost_all() {
    let mut ground = Ground::new();
    let (shared, other) = (ground.heard().await, ground.elsewhere().await);
    let cache = ground.builder(&shared).build().await.unwrap();
    let other: Cache<u64, String> =
        Cache::builder("names").redis(&other).others_wait(PATIENCE).build().await.unwrap();
    for key in 1..=6 {
        let tag = if key == 1 { "eu" } else { "us" };
        cache.set(&key, Loaded::of(key.to_string()).tag(tag)).await.unwrap();
    }
    cache.purge_tag("eu").await.unwrap();
    cache.delete(&2).await.unwrap();
    // Of these the disk hears by the log alone.
    other.delete(&3).await.unwrap();
    other.invalidate(&4).await.unwrap();
    cache.set(&5, "newer".to_owned()).await.unwrap();
    drop(other);
    ground.server.kill();
    until("it is in doubt", async || shared.trust() == Trust::Doubt).await;
    let refused = cache.delete(&6).await;
    assert!(matches!(refused, Err(Error::Log(_))), "nobody would hear of it: {refused:?}");
    cache.close().await;
    shared.close().await;

    // Another process begins while Redis is away. What it asks for that was purged leaves the disk, so
    // it leaves the first alone.
    let left = [None, None, None, Some("4"), Some("newer"), Some("6")];
    let left = left.map(|value| value.map(str::to_owned));
    let shared = ground.redis().await;
    let cache = ground.builder(&shared).build().await.unwrap();
    assert_eq!(from(2, &cache).await, left[1..]);
    cache.close().await;
    let cache = ground.builder(&shared).build().await.unwrap();

    // Redis comes back with nothing in it, its log included.
    ground.server.start_again();
    until("it is sure again", async || shared.trust() == Trust::Sure).await;
    assert_eq!(from(1, &cache).await, left);
    assert!(cache.get(&6).await.unwrap().is_none_or(|found| !found.is_fresh()), "it is not proven");
    until("a write is taken", async || cache.delete(&6).await.is_ok()).await;
    assert_eq!(without_source(&cache, 6).await, None);
    cache.close().await;
}
