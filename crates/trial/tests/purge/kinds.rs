//! Each kind of purge does what it says, on every node, and no more.

use forebay_trial::patience::until;
use forebay_trial::redis::RedisServer;

use crate::support::{PATIENCE, Versions, call, counted, nodes, purge, redis, version};

const FRESH: &[&str] = &["Cache-Control: max-age=600, stale-while-revalidate=600"];

/// A scope as JSON says it, a path that it covers, and one that it does not.
const SCOPES: [(&str, &str, &str); 5] = [
    (r#""urls": ["https://example.test/a/b?c"]"#, "/a/b?c", "/a/b"),
    (r#""prefixes": ["http://example.test/a/"]"#, "/a/x?y", "/ab"),
    (r#""tags": ["shoes"]"#, "/shoes/x", "/hats/x"),
    (r#""hosts": ["example.test"]"#, "/any", ""),
    (r#""all": true"#, "/any", ""),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hard_purge_reaches_memory_disk_and_redis_of_every_node() {
    let store = RedisServer::start().await.unwrap();
    let versions = Versions::start(FRESH).await;
    let disk = "[disk]\npath = \"{folder}/disk\"\nsize = \"64MiB\"\n";
    let tables = redis(&store.url()) + disk;
    let nodes = nodes(3, versions.origin.address(), &tables).await;
    for (scope, covered, spared) in SCOPES {
        for node in nodes.iter() {
            version(node, covered).await;
            if !spared.is_empty() {
                version(node, spared).await;
            }
        }
        let (old, new) = (version(nodes.node(0), covered).await.0, versions.change());
        let purged = purge(nodes.node(1), &format!("{{{scope}}}")).await;
        assert_eq!(purged.nodes.len(), 3, "{purged:?}");
        assert!(purged.nodes.iter().all(|node| node.state == "applied"), "{purged:?}");
        for node in nodes.iter() {
            assert_eq!(version(node, covered).await.0, new, "{scope} {covered}");
            if !spared.is_empty() {
                assert_eq!(version(node, spared).await.0, old, "{scope} {spared}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_purge_serves_stale_while_it_is_refreshed() {
    let store = RedisServer::start().await.unwrap();
    let versions = Versions::start(FRESH).await;
    let nodes = nodes(2, versions.origin.address(), &redis(&store.url())).await;
    for node in nodes.iter() {
        version(node, "/a").await;
    }
    let (old, new) = (1, versions.change());
    purge(nodes.node(0), r#"{"tags": ["a"], "kind": "soft"}"#).await;
    for node in nodes.iter() {
        let (first, said) = version(node, "/a").await;
        // The refresh of the other node may be in Redis already, but never something fresh and old.
        let is_stale = said.contains("stale-while-revalidate") && said.contains("ttl=-");
        assert!(first == new || first == old && is_stale || said.contains("ttl=0"), "{said}");
        until("it is refreshed", PATIENCE, async || version(node, "/a").await.0 == new)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_with_a_refresh_fetches_the_most_used_at_once() {
    let versions = Versions::start(FRESH).await;
    let tables = "[purge]\nrefresh_max = 2\n";
    let nodes = nodes(1, versions.origin.address(), tables).await;
    let node = nodes.node(0);
    for (path, uses) in [("/x/1", 1), ("/x/2", 9), ("/x/3", 5), ("/y/1", 20)] {
        for _ in 0..uses {
            version(node, path).await;
        }
    }
    versions.origin.forget();
    let new = versions.change();
    let order = r#"{"prefixes": ["http://example.test/x/"], "kind": "refresh"}"#;
    assert_eq!(purge(node, order).await.refreshing, 2);
    let fetched = async || versions.origin.count() >= 2;
    until("both are fetched", PATIENCE, fetched).await.unwrap();
    let counts = versions.origin.counts();
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["/x/2", "/x/3"], "{counts:?}");
    until("it is new", PATIENCE, async || version(node, "/x/2").await.0 == new).await.unwrap();
    assert!(version(node, "/y/1").await.0 < new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_under_a_part_of_its_query_is_purged_and_refreshed_by_its_url() {
    let versions = Versions::start(FRESH).await;
    let route = format!(
        "[[route]]\nhost = \"example.test\"\nto = \"http://{}\"\n\
         key = [\"method\", \"path\", \"query:without(_rsc)\", \"cookie:c\"]\n",
        versions.origin.address()
    );
    let with_cookie = nodes(1, versions.origin.address(), &route).await;
    let plain = nodes(1, versions.origin.address(), &route.replace(", \"cookie:c\"", "")).await;
    for (nodes, refreshed) in [(&plain, 2), (&with_cookie, 0)] {
        let node = nodes.node(0);
        for path in ["/a?_rsc=1", "/a?_rsc=2", "/a?b=1&_rsc=1"] {
            version(node, path).await;
        }
        let new = versions.change();
        let urls = r#"["http://example.test/a", "http://example.test/a?b=1"]"#;
        let order = format!("{{\"urls\": {urls}, \"kind\": \"refresh\"}}");
        assert_eq!(purge(node, &order).await.refreshing, refreshed);
        for path in ["/a?_rsc=3", "/a?b=1&_rsc=3"] {
            let is_new = async || version(node, path).await.0 == new;
            until("it is new", PATIENCE, is_new).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_are_purged_in_one_call_and_no_more() {
    let versions = Versions::start(FRESH).await;
    let store = RedisServer::start().await.unwrap();
    let nodes = nodes(2, versions.origin.address(), &redis(&store.url())).await;
    version(nodes.node(1), "/u/999").await;
    let new = versions.change();
    let list = |count: usize| {
        let urls = (0..count).map(|at| format!("\"http://example.test/u/{at}\""));
        format!("{{\"urls\": [{}]}}", urls.collect::<Vec<_>>().join(","))
    };
    let purged = purge(nodes.node(0), &list(1000)).await;
    assert_eq!(purged.purges, 1000);
    assert_eq!(version(nodes.node(1), "/u/999").await.0, new);
    let refused = call(nodes.node(0), "/purge", &list(1001)).await;
    assert_eq!(refused.head.status().unwrap(), 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purges_survive_a_restart_with_a_disk_and_with_redis() {
    let store = RedisServer::start().await.unwrap();
    for tables in ["", &redis(&store.url())] {
        let versions = Versions::start(FRESH).await;
        let disk = "[disk]\npath = \"{folder}/disk\"\nsize = \"64MiB\"\nsync_interval = \"10ms\"\n";
        let mut nodes = nodes(1, versions.origin.address(), &(tables.to_owned() + disk)).await;
        version(nodes.node(0), "/a/kept").await;
        version(nodes.node(0), "/b/purged").await;
        let on_disk = async || counted(nodes.node(0), "forebay_disk_objects").await >= 2;
        until("both lie on the disk", PATIENCE, on_disk).await.unwrap();
        purge(nodes.node(0), r#"{"tags": ["b"]}"#).await;
        nodes.node_mut(0).kill().await.unwrap();
        nodes.node_mut(0).restart().await.unwrap();
        let new = versions.change();
        let (kept, said) = version(nodes.node(0), "/a/kept").await;
        assert_eq!((kept, said.contains("hit")), (1, true), "{said}");
        assert_eq!(version(nodes.node(0), "/b/purged").await.0, new);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_says_which_purge_killed_it() {
    let versions = Versions::start(FRESH).await;
    let disk = "[disk]\npath = \"{folder}/disk\"\nsize = \"64MiB\"\n";
    let nodes = nodes(1, versions.origin.address(), disk).await;
    let node = nodes.node(0);
    let why = async || {
        let answer = call(node, "/why", r#"{"url": "http://example.test/a"}"#).await;
        let all = serde_json::from_slice::<forebay::admin::why::WhyAll>(&answer.body).unwrap();
        all.nodes[0].clone()
    };
    assert!(why().await.because.contains("nothing is stored"), "{:?}", why().await);
    version(node, "/a").await;
    let hit = why().await;
    assert!(hit.because.starts_with("it would be served from memory: fresh for "), "{hit:?}");
    assert_eq!(hit.found[0].tags, ["all", "a"]);
    purge(node, r#"{"tags": ["a"], "kind": "soft"}"#).await;
    let soft = why().await;
    assert!(soft.because.contains("refreshed behind"), "{soft:?}");
    let by = format!("softly by purge {}", soft.epoch);
    assert!(soft.found[0].purged.starts_with(&by), "{soft:?}");
    purge(node, r#"{"tags": ["a"]}"#).await;
    let hard = why().await;
    let killed = format!("it would be fetched: purge {} killed what was stored", hard.epoch);
    // The sweep may have been quicker.
    let (said, nothing) = (&hard.because, "nothing is stored under this key");
    assert!(*said == killed || said.ends_with(nothing), "{hard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_says_what_each_node_holds() {
    let store = RedisServer::start().await.unwrap();
    let versions = Versions::start(FRESH).await;
    let nodes = nodes(3, versions.origin.address(), &redis(&store.url())).await;
    version(nodes.node(1), "/a").await;
    let asked = async || {
        let answer = call(nodes.node(0), "/why", r#"{"url": "http://example.test/a"}"#).await;
        serde_json::from_slice::<forebay::admin::why::WhyAll>(&answer.body).unwrap()
    };
    let all = async || {
        let all = asked().await;
        let in_redis = |why: &forebay::why::Why| why.found.iter().any(|it| it.tier == "redis");
        all.asked == 3 && all.nodes.len() == 3 && all.nodes.iter().all(in_redis)
    };
    until("all answer, and see it in Redis", PATIENCE, all).await.unwrap();
    let held = |why: &forebay::why::Why| why.found.iter().any(|it| it.tier == "memory");
    let holders: Vec<_> = asked().await.nodes.into_iter().filter(held).collect();
    let port = format!(":{}", nodes.node(1).address().port());
    assert_eq!(holders.len(), 1, "{holders:?}");
    assert!(holders[0].node.ends_with(&port), "{holders:?}");
}
