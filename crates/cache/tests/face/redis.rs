//! A Redis below memory, shared by several caches of one process that know nothing of each other.

use forebay_cache::mechanism::Trust;
use forebay_cache::{Cache, Error, Level, Loaded, Redis, millis, minutes, secs};

use crate::servers::RedisServer;
use crate::stage::{Calls, Gate, PATIENCE, until};

/// As another process would open it.
async fn redis(server: &RedisServer) -> Redis {
    let address = format!("unix://{}", server.socket().display());
    let builder = Redis::builder(&address).timeout(secs(2)).connect_timeout(secs(20));
    builder.doubt_after(secs(20)).open().await.unwrap()
}

async fn cache(redis: &Redis) -> Cache<u64, String> {
    let builder = Cache::builder("names").redis(redis).ttl(minutes(5)).others_wait(PATIENCE);
    builder.stale_on_error(minutes(5)).build().await.unwrap()
}

async fn stored(cache: &Cache<u64, String>, count: u64) {
    until("it is in redis", async || cache.stats().tiers.tiers[0].stored >= count).await;
}

async fn value(cache: &Cache<u64, String>, key: u64) -> Option<String> {
    cache.get(&key).await.unwrap().map(|found| found.value.unwrap().to_string())
}

#[tokio::test]
async fn p3_1_what_one_process_loads_all_find_with_the_rest_of_its_lifetime() {
    let server = RedisServer::on_socket(&[]);
    let (one, other) = (redis(&server).await, redis(&server).await);
    let (one, other) = (cache(&one).await, cache(&other).await);
    let calls = Calls::default();
    one.get_or_load(&1, || calls.word("a")).await.unwrap();
    stored(&one, 1).await;
    let found = other.get_or_load(&1, || calls.word("b")).await.unwrap();
    assert_eq!((found.from, found.value.as_deref().unwrap().as_str()), (Level::Redis, "a1"));
    assert!(found.left().as_millis() <= 300_000);
    assert_eq!(other.get(&1).await.unwrap().unwrap().from, Level::Memory);
}

#[tokio::test]
async fn p3_2_one_in_the_whole_cluster_loads() {
    let server = RedisServer::on_socket(&[]);
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(cache(&redis(&server).await).await);
    }
    let gate = Gate::default();
    let many: Vec<_> = (0..12)
        .map(|number| {
            let (cache, gate) = (all[number % 3].clone(), gate.clone());
            tokio::spawn(async move { cache.get_or_load(&1, || gate.word("a")).await })
        })
        .collect();
    gate.begun().await;
    tokio::time::sleep(millis(100)).await;
    gate.open();
    for one in many {
        assert_eq!(one.await.unwrap().unwrap().value.unwrap().as_str(), "a");
    }
    assert_eq!(gate.calls.now(), 1);
}

#[tokio::test]
async fn p3_7_a_load_that_fails_is_told_to_all_who_wait_in_the_cluster() {
    let server = RedisServer::on_socket(&[]);
    let (one, other) = (redis(&server).await, redis(&server).await);
    let (one, other) = (cache(&one).await, cache(&other).await);
    let (gate, calls) = (Gate::default(), Calls::default());
    let failing = {
        let (gate, calls) = (gate.clone(), calls.clone());
        move || async move {
            gate.word("").await?;
            calls.failure().await
        }
    };
    let leads = tokio::spawn(async move { one.get_or_load(&1, failing).await });
    gate.begun().await;
    let waits = {
        let calls = calls.clone();
        tokio::spawn(async move { other.get_or_load(&1, || calls.word("own")).await })
    };
    tokio::time::sleep(millis(100)).await;
    gate.open();
    assert!(matches!(leads.await.unwrap(), Err(Error::Load(_))));
    let told = waits.await.unwrap();
    // Told of the failure, or come after it and gone itself.
    match told {
        Err(Error::LoadElsewhere) => assert_eq!(calls.now(), 1),
        Ok(found) => assert_eq!(found.value.unwrap().as_str(), "own2"),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn p3_11_what_is_set_deleted_or_purged_in_one_process_is_gone_in_all_when_it_returns() {
    let server = RedisServer::on_socket(&[]);
    let (one, other) = (redis(&server).await, redis(&server).await);
    let (one, other) = (cache(&one).await, cache(&other).await);
    for round in 0..20_u64 {
        let word = || Loaded::of(format!("old {round}")).tag("eu");
        one.set(&round, word()).await.unwrap();
        assert_eq!(value(&other, round).await.unwrap(), format!("old {round}"));
        match round % 4 {
            0 => other.set(&round, format!("new {round}")).await.unwrap(),
            1 => other.delete(&round).await.unwrap(),
            2 => other.purge_tag("eu").await.unwrap(),
            _ => other.invalidate(&round).await.unwrap(),
        }
        let left = value(&one, round).await;
        assert_eq!(left, (round % 4 == 0).then(|| format!("new {round}")), "{round}");
    }
    one.set(&1, "a".to_owned()).await.unwrap();
    assert!(value(&other, 1).await.is_some());
    other.purge_all().await.unwrap();
    assert!(value(&one, 1).await.is_none());
}

#[tokio::test]
async fn p3_11_of_two_who_set_at_once_the_later_in_the_log_wins_everywhere() {
    let server = RedisServer::on_socket(&[]);
    let (first, second) = (redis(&server).await, redis(&server).await);
    let (one, other) = (cache(&first).await, cache(&second).await);
    for round in 0..20_u64 {
        let set = |cache: &Cache<u64, String>, word: &str| {
            let (cache, word) = (cache.clone(), word.to_owned());
            async move { cache.set(&round, word).await.unwrap() }
        };
        tokio::join!(set(&one, "one"), set(&other, "other"));
        let (of_one, of_other) = (value(&one, round).await, value(&other, round).await);
        // One may have nothing left of it; never do they hold two.
        if let (Some(of_one), Some(of_other)) = (&of_one, &of_other) {
            assert_eq!(of_one, of_other, "{round}");
        }
        assert!(of_one.is_some() || of_other.is_some(), "{round}");
    }
}

#[tokio::test]
async fn a_load_that_a_delete_overtakes_is_kept_by_nobody() {
    let server = RedisServer::on_socket(&[]);
    let (one, other) = (redis(&server).await, redis(&server).await);
    let (one, other) = (cache(&one).await, cache(&other).await);
    let gate = Gate::default();
    let leads = {
        let (one, gate) = (one.clone(), gate.clone());
        tokio::spawn(async move { one.get_or_load(&1, || gate.word("old")).await })
    };
    gate.begun().await;
    other.delete(&1).await.unwrap();
    gate.open();
    assert_eq!(leads.await.unwrap().unwrap().value.unwrap().as_str(), "old");
    assert!(value(&one, 1).await.is_none());
    assert!(value(&other, 1).await.is_none());
}

#[tokio::test]
async fn p3_12_who_starts_late_replays_nothing_and_who_missed_a_purge_serves_nothing_of_it() {
    let mut server = RedisServer::on_port(&[]);
    let address = format!("redis://127.0.0.1:{}", server.port);
    let quick = async || {
        let builder = Redis::builder(&address).timeout(millis(500)).connect_timeout(secs(20));
        builder.doubt_after(millis(800)).open().await.unwrap()
    };
    let (first, calls) = (quick().await, Calls::default());
    let one = cache(&first).await;
    one.set(&1, "a".to_owned()).await.unwrap();
    one.set(&2, "b".to_owned()).await.unwrap();
    one.delete(&1).await.unwrap();
    one.set(&1, "c".to_owned()).await.unwrap();
    let late = cache(&quick().await).await;
    assert_eq!(value(&late, 1).await.as_deref(), Some("c"), "the purge before it is no news");
    assert_eq!(value(&late, 2).await.as_deref(), Some("b"));
    // Redis goes, and with it whatever was purged meanwhile: nothing is fresh for long.
    server.kill();
    until("it is in doubt", async || first.trust() == Trust::Doubt).await;
    until("it is not fresh", async || one.get(&2).await.unwrap().is_none()).await;
    let loaded = one.get_or_load(&2, || calls.word("new")).await.unwrap();
    assert_eq!(loaded.value.unwrap().as_str(), "new1");
    let stale = one.get_or_load(&1, || calls.failure()).await.unwrap();
    assert_eq!(
        (stale.value.unwrap().as_str(), stale.freshness),
        ("c", forebay_cache::Freshness::Stale)
    );
    let refused = one.delete(&2).await;
    assert!(matches!(refused, Err(Error::Log(_))), "a write that nobody hears of: {refused:?}");
    // It comes back with nothing in it: a log that lost its purges proves nothing of before.
    server.start_again();
    until("it is sure again", async || first.trust() == Trust::Sure).await;
    let proven = one.get(&1).await.unwrap();
    assert!(proven.is_none_or(|found| !found.is_fresh()), "it stands in for an error at most");
    // A write is taken as soon as the log is there; that it lies in redis, too, may take a try more.
    until("both see what is written", async || {
        one.set(&1, "d".to_owned()).await.is_ok() && value(&late, 1).await.as_deref() == Some("d")
    })
    .await;
}

#[tokio::test]
async fn a_dead_redis_costs_a_caller_no_more_than_its_limit_and_no_error() {
    let mut server = RedisServer::on_socket(&[]);
    let redis = redis(&server).await;
    let cache = cache(&redis).await;
    cache.set(&1, "a".to_owned()).await.unwrap();
    server.stall();
    let calls = Calls::default();
    for key in 1..20 {
        let call = cache.get_or_load(&key, || calls.word("b"));
        tokio::time::timeout(PATIENCE, call).await.unwrap().unwrap();
        let again = cache.get_or_load(&key, || calls.word("c"));
        let again = tokio::time::timeout(PATIENCE, again).await.unwrap().unwrap();
        assert_eq!(again.from, Level::Memory, "it is held here all the same");
    }
    assert_eq!(calls.now(), 18);
    server.go_on();
    server.kill();
}

#[tokio::test]
async fn p3_15_two_caches_in_one_redis_are_apart_and_a_secret_keeps_strangers_out() {
    let server = RedisServer::on_socket(&[]);
    let address = format!("unix://{}", server.socket().display());
    let open = async |secret: &str| {
        let builder = Redis::builder(&address).timeout(secs(2)).connect_timeout(secs(20));
        builder.secret(secret).doubt_after(secs(20)).open().await.unwrap()
    };
    let shared = open("ours").await;
    let users = cache(&shared).await;
    let pages: Cache<u64, String> = Cache::builder("pages").redis(&shared).build().await.unwrap();
    users.set(&1, "ann".to_owned()).await.unwrap();
    assert!(pages.get(&1).await.unwrap().is_none());
    pages.delete(&1).await.unwrap();
    pages.purge_all().await.unwrap();
    assert_eq!(value(&users, 1).await.as_deref(), Some("ann"));
    // Without a log of its own it would not even be sure; its own prefix is not the point here.
    let stranger = Redis::builder(&address).timeout(secs(2)).connect_timeout(millis(300));
    let stranger = cache(&stranger.secret("theirs").open().await.unwrap()).await;
    assert!(stranger.get(&1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_wrong_address_is_an_error_and_a_redis_that_is_not_there_is_none() {
    let wrong = Redis::open("http://localhost").await.unwrap_err();
    assert!(wrong.to_string().contains("redis://127.0.0.1:6379/0"), "{wrong}");
    let port = crate::servers::free_port();
    let absent = Redis::builder(&format!("redis://127.0.0.1:{port}")).connect_timeout(millis(100));
    let cache = cache(&absent.open().await.unwrap()).await;
    let calls = Calls::default();
    assert!(cache.get_or_load(&1, || calls.word("a")).await.is_ok());
    assert!(cache.get_or_load(&1, || calls.word("b")).await.is_ok());
    assert!(calls.now() <= 2);
}
