//! Redis dies in every way, and nobody but the operator hears of it.

use std::time::Duration;

use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::nodes::Nodes;
use forebay_trial::pressure::{Plan, Pressure};
use forebay_trial::redis::{RedisOptions, RedisServer};

use super::support::*;

/// A node that asks Redis through a proxy whose mood can change, with the limits of an operator.
async fn behind(proxy: &FaultProxy, origin: std::net::SocketAddr) -> Nodes {
    let tables = format!("[redis]\nurl = \"redis://{}\"\n", proxy.address());
    nodes(2, origin, &tables, "").await
}

#[tokio::test]
async fn p1_13_whatever_redis_does_requests_reach_the_origin_and_hits_go_on() {
    let store = RedisServer::start().await.unwrap();
    let mut proxy = FaultProxy::start(store.address()).await.unwrap();
    let origin = origin(&[FRESH]).await;
    let nodes = behind(&proxy, origin.address()).await;
    works(&nodes).await;
    ask(&nodes, 0, "/kept").await;
    let moods = [
        ("stalls", Mood::Stall),
        ("is half open", Mood::HalfOpen),
        ("is cut off", Mood::Cut),
        (
            "is slow",
            Mood::Latency { there: Duration::from_millis(100), back: Duration::from_millis(100) },
        ),
        ("drips", Mood::Drip { bytes: 1, every: Duration::from_millis(50) }),
    ];
    for (name, mood) in moods {
        proxy.set(mood).await.unwrap();
        let before = origin.count();
        for number in 0..20 {
            let path = format!("/{}/{number}", name.replace(' ', "-"));
            assert_eq!(ask(&nodes, number % 2, &path).await.0, format!("body of {path}"), "{name}");
            let (_, said) = ask(&nodes, 0, "/kept").await;
            assert!(said.contains("hit"), "{name}: {said}");
        }
        assert_eq!(origin.count() - before, 20, "{name}");
        proxy.set(Mood::Pass).await.unwrap();
        works(&nodes).await;
    }
}

#[tokio::test]
async fn p1_13_a_node_starts_without_redis_and_uses_it_when_it_comes() {
    let mut store = RedisServer::start().await.unwrap();
    store.kill().await.unwrap();
    let origin = origin(&[FRESH]).await;
    let nodes = nodes(2, origin.address(), &redis(&store.url()), "").await;
    assert_eq!(ask(&nodes, 0, "/a").await.0, "body of /a");
    store.restart().await.unwrap();
    works(&nodes).await;
}

#[tokio::test]
async fn a_redis_that_restarts_empty_or_is_flushed_is_filled_again() {
    let mut cluster = cluster(2, &[FRESH], "").await;
    works(&cluster.nodes).await;
    cluster.store.restart_empty().await.unwrap();
    works(&cluster.nodes).await;
    cluster.store.command(&["FLUSHALL"]).await.unwrap().ok().unwrap();
    works(&cluster.nodes).await;
}

#[tokio::test]
async fn a_redis_without_room_costs_nobody_anything() {
    let store = RedisOptions::new().memory_max(2 << 20, "noeviction").start().await.unwrap();
    let body = vec![b'x'; 100_000];
    let origin = forebay_trial::counting::CountingOrigin::saying(&[FRESH], &body).await.unwrap();
    let nodes = nodes(2, origin.address(), &redis(&store.url()), "").await;
    for number in 0..60 {
        let answer = nodes.node(number % 2).get(&format!("/{number}"), &[]).await.unwrap();
        assert_eq!(answer.body.len(), body.len());
    }
    let failed = [("tier", "redis"), ("reason", "failed")];
    counted(&nodes, "forebay_tier_failures_total", &failed, 1).await;
}

#[tokio::test]
async fn hits_from_disk_go_on_without_redis() {
    let mut store = RedisServer::start().await.unwrap();
    let origin = origin(&[FRESH]).await;
    let disk = "[disk]\npath = \"{folder}/disk\"\nsize = \"64MiB\"\n";
    let tables = format!("{disk}{}[purge]\nin_doubt = \"serve\"\n", redis(&store.url()));
    let mut nodes = nodes(1, origin.address(), &tables, "").await;
    ask(&nodes, 0, "/a").await;
    stored(&nodes, "disk", 1).await;
    store.kill().await.unwrap();
    nodes.node_mut(0).restart().await.unwrap();
    let (_, said) = ask(&nodes, 0, "/a").await;
    assert!(said.contains("detail=disk"), "{said}");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn p1_13_redis_stopped_for_half_a_minute_under_load_is_no_clients_error() {
    let mut store = RedisServer::start().await.unwrap();
    let origin = origin(&["Cache-Control: max-age=2, stale-while-revalidate=600"]).await;
    let tables = format!("[redis]\nurl = \"{}\"\n", store.url());
    let nodes = nodes(3, origin.address(), &tables, "").await;
    works(&nodes).await;
    let paths = (0..40).map(|number| format!("/{number}")).collect();
    let every = Duration::from_millis(50);
    let pressure =
        Pressure::start(Plan { addresses: nodes.addresses(), clients: 12, paths, every });
    pass(Duration::from_secs(2)).await;
    store.kill().await.unwrap();
    pass(Duration::from_secs(30)).await;
    store.restart().await.unwrap();
    pass(Duration::from_secs(2)).await;
    let felt = pressure.end().await;
    assert_eq!((felt.failed, felt.of(200)), (0, felt.asked()), "{felt:?}");
    assert!(felt.asked() > 1_000, "{felt:?}");
    works(&nodes).await;
}
