//! One origin request in the whole cluster.

use std::time::Duration;

use forebay_trial::counting::{Failing, Pace};
use forebay_trial::load::{self, Ask};
use forebay_trial::patience::until;

use super::support::*;

fn slowly(millis: u64) -> Pace {
    Pace { before_head: Duration::from_millis(millis), ..Pace::default() }
}

#[tokio::test]
async fn p1_7_five_nodes_and_a_thousand_clients_of_a_cold_key_cause_one_origin_request() {
    let Cluster { nodes, origin, store: _store } =
        cluster(5, &[FRESH], "collapse_wait = \"30s\"").await;
    origin.pace(slowly(1_500));
    let asked = load::stampede(&nodes.addresses(), 1_000, "/cold").await.unwrap();
    all_have(&asked, "body of /cold");
    assert_eq!(origin.count_of("/cold"), 1);
    // From here on, each node has it.
    all_have(&load::stampede(&nodes.addresses(), 50, "/cold").await.unwrap(), "body of /cold");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn p1_7_a_leader_that_is_killed_within_its_fetch_costs_one_request_more() {
    let mut cluster = cluster(5, &[FRESH], "").await;
    cluster.origin.pace(slowly(1_000));
    let first = vec![Ask::path(cluster.nodes.node(0).address(), "/cold")];
    let dying = load::start(first).await.unwrap();
    let origin = &cluster.origin;
    until("the leader asks", PATIENCE, async || origin.count() == 1).await.unwrap();
    let others = [1, 2, 3, 4].map(|number| cluster.nodes.node(number).address());
    let waiting = others.iter().cycle().take(400).map(|at| Ask::path(*at, "/cold")).collect();
    let waiting = load::start(waiting).await.unwrap();
    pass(Duration::from_millis(300)).await;
    cluster.nodes.node_mut(0).kill().await.unwrap();
    all_have(&waiting.answers().await.unwrap(), "body of /cold");
    drop(dying);
    assert_eq!(cluster.origin.count(), 2);
}

#[tokio::test]
async fn p1_8_a_fetch_that_outlasts_its_lease_many_times_is_waited_for() {
    let store = forebay_trial::redis::RedisServer::start().await.unwrap();
    let origin = origin(&[FRESH]).await;
    let tables = redis(&store.url()) + "lease = \"1s\"\n";
    let nodes = nodes(2, origin.address(), &tables, "collapse_wait = \"60s\"").await;
    origin.pace(slowly(7_000));
    let asked = load::stampede(&nodes.addresses(), 20, "/slow").await.unwrap();
    all_have(&asked, "body of /slow");
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn p1_8_what_is_not_shareable_makes_nobody_wait_for_longer_than_its_head() {
    // Who waited on for the whole limit would not be done within the patience.
    let cluster = cluster(3, &["Cache-Control: no-store"], "collapse_wait = \"10m\"").await;
    cluster.origin.pace(slowly(300));
    let asked = load::stampede(&cluster.nodes.addresses(), 60, "/own").await.unwrap();
    all_have(&asked, "body of /own");
    assert_eq!(cluster.origin.count_of("/own"), 60);
    // All nodes know it by now: nobody queues at all.
    let again = load::stampede(&cluster.nodes.addresses(), 60, "/own").await.unwrap();
    all_have(&again, "body of /own");
    for asked in again {
        assert!(!asked.answer.unwrap().cache_status.contains("collapsed"));
    }
}

#[tokio::test]
async fn p1_4_two_hundred_keys_that_expire_together_cause_two_hundred_refreshes() {
    let cluster = cluster(3, &[BRIEF], "collapse_wait = \"30s\"\nearly_refresh = 0").await;
    let paths: Vec<String> = (0..200).map(|number| format!("/{number}")).collect();
    let ask_all = || {
        let asks = paths.iter().flat_map(|path| {
            let addresses = cluster.nodes.addresses();
            addresses.into_iter().map(move |address| Ask::path(address, path))
        });
        load::at_once(asks.collect())
    };
    for asked in ask_all().await.unwrap() {
        assert_eq!(asked.answer.unwrap().status, 200);
    }
    assert_eq!(cluster.origin.count(), 200);
    pass(Duration::from_millis(2_500)).await;
    // A refresh must be seen by all before what it brought is stale again.
    cluster.origin.pace(slowly(0));
    for asked in ask_all().await.unwrap() {
        let answer = asked.answer.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.cache_status.contains("hit"), "{}", answer.cache_status);
    }
    let origin = &cluster.origin;
    until("all are refreshed", PATIENCE, async || origin.count() >= 400).await.unwrap();
    pass(Duration::from_millis(500)).await;
    assert_eq!(cluster.origin.count(), 400);
}

#[tokio::test]
async fn p1_5_a_refresh_that_failed_is_tried_once_a_pause_in_the_whole_cluster() {
    let more = "retry_pause = \"3s\"\nearly_refresh = 0";
    let mut cluster = cluster(3, &[BRIEF], more).await;
    for node in 0..3 {
        ask(&cluster.nodes, node, "/a").await;
    }
    pass(Duration::from_millis(1_200)).await;
    cluster.origin.forget();
    cluster.origin.fail(Failing::Status(503)).await.unwrap();
    for _ in 0..10 {
        for node in 0..3 {
            let (body, said) = ask(&cluster.nodes, node, "/a").await;
            assert_eq!(body, "body of /a", "{said}");
        }
        pass(Duration::from_millis(100)).await;
    }
    assert_eq!(cluster.origin.count(), 1);
    pass(Duration::from_secs(3)).await;
    for node in 0..3 {
        ask(&cluster.nodes, node, "/a").await;
    }
    let origin = &cluster.origin;
    until("the next try", PATIENCE, async || origin.count() == 2).await.unwrap();
}

#[tokio::test]
async fn p1_6_p1_8_who_waits_for_another_node_is_answered_when_its_response_is_stored() {
    let cluster = cluster(2, &[FRESH], "collapse_wait = \"60s\"").await;
    cluster.origin.pace(slowly(700));
    let first = vec![Ask::path(cluster.nodes.node(0).address(), "/a")];
    let leading = load::start(first).await.unwrap();
    let origin = &cluster.origin;
    until("the leader asks", PATIENCE, async || origin.count() == 1).await.unwrap();
    let (body, said) = ask(&cluster.nodes, 1, "/a").await;
    assert_eq!(body, "body of /a");
    assert!(said.contains("collapsed"), "{said}");
    all_have(&leading.answers().await.unwrap(), "body of /a");
    assert_eq!(cluster.origin.count(), 1);
}

#[tokio::test]
async fn a_body_larger_than_redis_takes_is_fetched_by_each_node_once() {
    let store = forebay_trial::redis::RedisServer::start().await.unwrap();
    let body = vec![b'x'; 300_000];
    let origin = forebay_trial::counting::CountingOrigin::saying(&[FRESH], &body).await.unwrap();
    let tables = redis(&store.url()) + "value_bytes_max = \"100KiB\"\n";
    let nodes = nodes(3, origin.address(), &tables, "collapse_wait = \"30s\"").await;
    origin.pace(slowly(300));
    let asked = load::stampede(&nodes.addresses(), 30, "/large").await.unwrap();
    for asked in asked {
        assert_eq!(asked.answer.unwrap().body.len(), body.len());
    }
    assert_eq!(origin.count(), 3);
}
