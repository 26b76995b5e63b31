//! Who may purge where clients are accepted, and what an origin may spoil.

use forebay_trial::nodes::request;
use forebay_trial::redis::RedisServer;

use crate::support::{Versions, nodes, redis, version};

const FRESH: &[&str] = &["Cache-Control: max-age=600"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_purges_where_clients_are_accepted_unless_it_is_said() {
    let versions = Versions::start(FRESH).await;
    let nodes = nodes(1, versions.origin.address(), "").await;
    version(nodes.node(0), "/a").await;
    versions.change();
    let before = versions.origin.count();
    let answer =
        nodes.node(0).ask(&request("PURGE", "/tags", &["Surrogate-Key: a"])).await.unwrap();
    // A method as any other: the origin's to answer, and about its own target alone.
    assert_eq!((answer.head.status().unwrap(), versions.origin.count()), (200, before + 1));
    assert_eq!(version(nodes.node(0), "/a").await.0, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knows_the_secret_purges_a_url_or_tags() {
    let versions = Versions::start(FRESH).await;
    let tables = "[purge]\nfield = \"x-purge\"\nsecret = \"word\"\npeers = [\"127.0.0.0/8\"]\n";
    let nodes = nodes(1, versions.origin.address(), tables).await;
    let node = nodes.node(0);
    let say = async |fields: &[&str]| {
        let answer = node.ask(&request("PURGE", "/a", fields)).await.unwrap();
        answer.head.status().unwrap()
    };
    version(node, "/a").await;
    version(node, "/b").await;
    let new = versions.change();
    assert_eq!(say(&[]).await, 403);
    assert_eq!(say(&["X-Purge: wrong"]).await, 403);
    assert_eq!(say(&["X-Purge: word", "Purge-Kind: gentle"]).await, 400);
    assert_eq!(version(node, "/a").await.0, 1);
    assert_eq!(say(&["X-Purge: word"]).await, 200);
    assert_eq!((version(node, "/a").await.0, version(node, "/b").await.0), (new, 1));
    assert_eq!(say(&["X-Purge: word", "Surrogate-Key: b"]).await, 200);
    assert_eq!(version(node, "/b").await.0, new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_listed_purges_nothing() {
    let versions = Versions::start(FRESH).await;
    let tables = "[purge]\npeers = [\"10.0.0.0/8\"]\n";
    let nodes = nodes(1, versions.origin.address(), tables).await;
    let answer = nodes.node(0).ask(&request("PURGE", "/a", &[])).await.unwrap();
    assert_eq!(answer.head.status().unwrap(), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_that_an_origin_spoils_are_purged_on_every_node() {
    let store = RedisServer::start().await.unwrap();
    let fields = &["Cache-Control: max-age=600", "Cache-Groups: \"menu\"", SPOILS];
    let versions = Versions::start(fields).await;
    let nodes = nodes(2, versions.origin.address(), &redis(&store.url())).await;
    for node in nodes.iter() {
        version(node, "/a").await;
    }
    let new = versions.change();
    let post = request("POST", "/order", &["Content-Length: 0"]);
    assert_eq!(nodes.node(0).ask(&post).await.unwrap().head.status().unwrap(), 200);
    let seen = async || version(nodes.node(1), "/a").await.0 == new;
    forebay_trial::patience::until("the other hears", crate::support::PATIENCE, seen)
        .await
        .unwrap();
    assert_eq!(version(nodes.node(0), "/a").await.0, new);
}

const SPOILS: &str = "Cache-Group-Invalidation: \"menu\"";
