//! What a node does that hears nothing of purges.

use std::time::Duration;

use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::nodes::Nodes;
use forebay_trial::patience::until;
use forebay_trial::redis::RedisServer;

use crate::support::{PATIENCE, Versions, call, counted, nodes_each, purge, redis, version};

const FRESH: &[&str] = &["Cache-Control: max-age=600"];

const RAISED: &str = "forebay_purge_floor_raised_total";

/// Two nodes; the second reaches Redis through a proxy.
struct Pair {
    versions: Versions,
    store: RedisServer,
    wire: FaultProxy,
    nodes: Nodes,
}

async fn pair(more: &str) -> Pair {
    let store = RedisServer::start().await.unwrap();
    let versions = Versions::start(FRESH).await;
    let wire = FaultProxy::start(store.address()).await.unwrap();
    let urls = [store.url(), store.url_through(wire.address())];
    let nodes = nodes_each(2, versions.origin.address(), |number| redis(&urls[number]) + more);
    let nodes = nodes.await;
    Pair { versions, store, wire, nodes }
}

async fn in_doubt(pair: &Pair, node: usize) -> bool {
    counted(pair.nodes.node(node), "forebay_purge_in_doubt").await == 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_validates_and_catches_up() {
    let mut pair = pair("").await;
    version(pair.nodes.node(1), "/a").await;
    pair.wire.set(Mood::Cut).await.unwrap();
    until("it is in doubt", PATIENCE, async || in_doubt(&pair, 1).await).await.unwrap();
    let health = pair.nodes.node(1).operate("GET", "/health", &[]).await.unwrap();
    assert!(String::from_utf8_lossy(&health.body).contains("in doubt"));

    let new = pair.versions.change();
    let purged = purge(pair.nodes.node(0), r#"{"tags": ["a"]}"#).await;
    assert!(purged.complete, "{purged:?}");
    assert!(purged.nodes.iter().any(|node| node.state == "unheard"), "{purged:?}");
    // It was validated before it was cut off, and that is too long ago.
    let (got, said) = version(pair.nodes.node(1), "/a").await;
    assert_eq!(got, new, "{said}");
    assert!(said.contains("in-doubt"), "{said}");

    pair.wire.set(Mood::Pass).await.unwrap();
    until("it hears again", PATIENCE, async || !in_doubt(&pair, 1).await).await.unwrap();
    let purged = purge(pair.nodes.node(0), r#"{"tags": ["a"]}"#).await;
    assert!(purged.nodes.iter().all(|node| node.state == "applied"), "{purged:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_doubt_a_hot_key_is_validated_once_a_bound() {
    let mut pair = pair("").await;
    version(pair.nodes.node(1), "/hot").await;
    pair.wire.set(Mood::Cut).await.unwrap();
    until("it is in doubt", PATIENCE, async || in_doubt(&pair, 1).await).await.unwrap();
    version(pair.nodes.node(1), "/hot").await;
    pair.versions.origin.forget();
    let begun = tokio::time::Instant::now();
    let mut asked = 0;
    while begun.elapsed() < Duration::from_secs(6) {
        version(pair.nodes.node(1), "/hot").await;
        asked += 1;
    }
    let (seconds, count) = (begun.elapsed().as_secs_f64(), pair.versions.origin.count());
    // Early refreshes may come a little before the bound.
    let most = (seconds / 2.0).ceil() as usize * 2;
    assert!((1..=most).contains(&count), "{count} in {seconds} s for {asked} requests");
    println!("{asked} requests in {seconds:.1} s in doubt: {count} to the origin");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_trusts_what_he_has_serves_it_in_doubt() {
    let mut pair = pair("[purge]\nin_doubt = \"serve\"\ndoubt_after = \"1s\"\n").await;
    version(pair.nodes.node(1), "/a").await;
    pair.wire.set(Mood::Cut).await.unwrap();
    until("it is in doubt", PATIENCE, async || in_doubt(&pair, 1).await).await.unwrap();
    pair.versions.change();
    let (got, said) = version(pair.nodes.node(1), "/a").await;
    assert_eq!((got, said.contains("hit")), (1, true), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_doubt_an_unreachable_origin_is_stood_in_for_unless_it_is_strict() {
    for (mode, status) in [("validate", 200), ("strict", 502)] {
        let tables = format!("[purge]\nin_doubt = \"{mode}\"\ndoubt_after = \"1s\"\n");
        let mut pair = pair(&tables).await;
        version(pair.nodes.node(1), "/a").await;
        pair.wire.set(Mood::Cut).await.unwrap();
        until("it is in doubt", PATIENCE, async || in_doubt(&pair, 1).await).await.unwrap();
        pair.versions.origin.fail(forebay_trial::counting::Failing::Refuse).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let answer = pair.nodes.node(1).get("/a", &[]).await.unwrap();
        assert_eq!(answer.head.status().unwrap(), status, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_that_cannot_be_written_is_refused_with_the_reason() {
    let mut pair = pair("").await;
    pair.store.kill().await.unwrap();
    let answer = call(pair.nodes.node(0), "/purge", r#"{"all": true}"#).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.head.status().unwrap(), 503, "{text}");
    assert!(text.contains("cannot"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgot_everything_has_all_validated_and_nothing_thrown_away() {
    let mut pair = pair("").await;
    for node in pair.nodes.iter() {
        version(node, "/a").await;
    }
    let mut before = Vec::new();
    for node in pair.nodes.iter() {
        before.push(counted(node, RAISED).await);
    }
    pair.store.restart_empty().await.unwrap();
    let raised = async || {
        let mut raised = 0;
        for (node, before) in pair.nodes.iter().zip(&before) {
            raised += usize::from(counted(node, RAISED).await > *before);
        }
        raised == 2 && !in_doubt(&pair, 0).await && !in_doubt(&pair, 1).await
    };
    until("both notice", PATIENCE, raised).await.unwrap();
    for node in pair.nodes.iter() {
        let (got, said) = version(node, "/a").await;
        assert_eq!(got, 1, "{said}");
        let was_validated = said.contains("unproven") || said.contains("fwd-status=304");
        assert!(was_validated || said.contains("detail=redis"), "{said}");
        let (_, again) = version(node, "/a").await;
        assert!(again.contains("hit"), "{again}");
    }
}
