//! The connection that hears of changes, with a network between it and Redis.

use std::sync::Arc;
use std::time::Duration;

use forebay_cache::redis::{
    Address, LinkFailure, LinkOptions, Server, Stored, Told, Tracked, TrackedOptions,
};
use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::patience::until;
use forebay_trial::redis::{RedisPair, RedisServer};
use tokio::time::timeout;

use super::support::*;

fn at(address: std::net::SocketAddr) -> Server {
    Server::Single(named(address))
}

fn named(address: std::net::SocketAddr) -> Address {
    Address::Tcp(address.ip().to_string(), address.port())
}

async fn up(server: Server) -> Arc<Tracked> {
    let link = LinkOptions {
        call_timeout: Duration::from_secs(1),
        retry_pause_max: Duration::from_millis(200),
        ..LinkOptions::new(server)
    };
    let tracked = Tracked::open(TrackedOptions {
        ping_interval: Duration::from_millis(100),
        ..TrackedOptions::new(link)
    });
    until("it is up", PATIENCE, async || tracked.is_up()).await.unwrap();
    settle(&tracked).await;
    tracked
}

async fn settle(tracked: &Tracked) {
    while timeout(MOMENT, tracked.told()).await.is_ok() {}
}

async fn told(tracked: &Tracked) -> Told {
    timeout(PATIENCE, tracked.told()).await.expect("it is told")
}

async fn read(tracked: &Tracked) -> Result<Option<Stored>, LinkFailure> {
    tracked.read(&[b"a".to_vec()], PATIENCE).await.map(|mut values| values.remove(0))
}

fn text(text: &str) -> Option<Stored> {
    Some(Stored::Text(text.as_bytes().to_vec()))
}

async fn set(redis: &RedisServer, value: &str) {
    redis.command(&["SET", "a", value]).await.unwrap().ok().unwrap();
}

#[tokio::test]
async fn whatever_the_network_does_no_change_goes_unheard_without_a_doubt() {
    let redis = RedisServer::start().await.unwrap();
    let mut proxy = FaultProxy::start(redis.address()).await.unwrap();
    let tracked = up(at(proxy.address())).await;
    for (number, mood) in [Mood::Cut, Mood::Stall, Mood::HalfOpen].into_iter().enumerate() {
        let (before, after) = (format!("before {number}"), format!("after {number}"));
        set(&redis, &before).await;
        settle(&tracked).await;
        assert_eq!(read(&tracked).await.unwrap(), text(&before));
        proxy.set(mood).await.unwrap();
        set(&redis, &after).await;
        assert_eq!(told(&tracked).await, Told::Doubt, "{mood:?}");
        until("it is down", PATIENCE, async || !tracked.is_up()).await.unwrap();
        assert!(read(&tracked).await.is_err(), "{mood:?}");
        proxy.set(Mood::Pass).await.unwrap();
        until("it is up", PATIENCE, async || tracked.is_up()).await.unwrap();
        assert_eq!(read(&tracked).await.unwrap(), text(&after), "{mood:?}");
        settle(&tracked).await;
    }
}

#[tokio::test]
async fn a_stall_that_is_over_before_the_sign_of_life_is_late_loses_nothing() {
    let redis = RedisServer::start().await.unwrap();
    let mut proxy = FaultProxy::start(redis.address()).await.unwrap();
    let tracked = up(at(proxy.address())).await;
    for number in 0..5 {
        settle(&tracked).await;
        read(&tracked).await.unwrap();
        proxy.set(Mood::Stall).await.unwrap();
        set(&redis, &number.to_string()).await;
        pass(Duration::from_millis(200)).await;
        proxy.set(Mood::Pass).await.unwrap();
        // On a busy machine the sign may be late all the same.
        match told(&tracked).await {
            Told::Changed(keys) => assert_eq!(keys, [b"a".to_vec()]),
            Told::Doubt => println!("a doubt at {number}"),
        }
        until("it is up", PATIENCE, async || tracked.is_up()).await.unwrap();
        assert_eq!(read(&tracked).await.unwrap(), text(&number.to_string()));
    }
}

#[tokio::test]
async fn late_answers_and_what_is_told_keep_their_order() {
    let redis = RedisServer::start().await.unwrap();
    let mut proxy = FaultProxy::start(redis.address()).await.unwrap();
    let tracked = up(at(proxy.address())).await;
    let late = Duration::from_millis(100);
    proxy.set(Mood::Latency { there: Duration::ZERO, back: late }).await.unwrap();
    for number in 0..20 {
        // The change is made while the answer to the read is under way.
        let reading = tokio::spawn({
            let tracked = Arc::clone(&tracked);
            async move { read(&tracked).await }
        });
        pass(late / 2).await;
        set(&redis, &number.to_string()).await;
        let was = reading.await.unwrap().unwrap();
        if was != text(&number.to_string()) {
            assert_eq!(told(&tracked).await, Told::Changed(vec![b"a".to_vec()]));
        }
        settle(&tracked).await;
    }
}

#[tokio::test]
async fn a_failover_is_a_doubt_and_is_followed() {
    let mut pair = RedisPair::start().await.unwrap();
    let tracked = up(Server::Sentinel {
        sentinels: pair.sentinel_addresses().into_iter().map(named).collect(),
        service: pair.service().to_owned(),
        username: None,
        password: None,
    })
    .await;
    set(pair.primary().await.unwrap(), "1").await;
    settle(&tracked).await;
    assert_eq!(read(&tracked).await.unwrap(), text("1"));
    pair.fail_over().await.unwrap();
    while told(&tracked).await != Told::Doubt {}
    set(pair.primary().await.unwrap(), "2").await;
    let follows = async || read(&tracked).await == Ok(text("2"));
    until("it follows", PATIENCE, follows).await.unwrap();
    settle(&tracked).await;
    read(&tracked).await.unwrap();
    set(pair.primary().await.unwrap(), "3").await;
    assert_eq!(told(&tracked).await, Told::Changed(vec![b"a".to_vec()]));
}
