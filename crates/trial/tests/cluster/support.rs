//! What all of these trials start and ask.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_trial::counting::CountingOrigin;
use forebay_trial::load::Asked;
use forebay_trial::nodes::{Nodes, Orders};
use forebay_trial::origin::Reply;
use forebay_trial::patience::until;
use forebay_trial::redis::RedisServer;
use forebay_trial::wire::{Ending, Message};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Fresh for as long as any test runs.
pub(crate) const FRESH: &str = "Cache-Control: max-age=600";

/// Fresh for a second, and then to be served stale while it is refreshed.
pub(crate) const BRIEF: &str = "Cache-Control: max-age=1, stale-while-revalidate=600";

/// A Redis, an origin that answers each path with a body of its own, and nodes that share both.
pub(crate) struct Cluster {
    pub(crate) nodes: Nodes,
    pub(crate) origin: CountingOrigin,
    pub(crate) store: RedisServer,
}

/// An origin whose answers all have these fields, and name the path that they are for.
pub(crate) async fn origin(fields: &'static [&'static str]) -> CountingOrigin {
    let answer = move |message: Message| {
        let body = format!("body of {}", message.head.target());
        std::future::ready(Reply::whole(200, fields, body.as_bytes()))
    };
    CountingOrigin::start(answer).await.expect("an origin starts")
}

/// So many nodes with a configuration that ends with these lines of `[defaults]`.
pub(crate) async fn cluster(count: usize, fields: &'static [&'static str], more: &str) -> Cluster {
    let store = RedisServer::start().await.expect("Redis starts");
    let origin = origin(fields).await;
    let nodes = nodes(count, origin.address(), &redis(&store.url()), more).await;
    Cluster { nodes, origin, store }
}

/// The table that names a Redis. Trials run beside others on busy machines, so a call may take long.
pub(crate) fn redis(url: &str) -> String {
    format!("[redis]\nurl = \"{url}\"\ntimeout = \"2s\"\n")
}

/// Nodes before this origin with these tables and these defaults. `{folder}` is a node's own.
pub(crate) async fn nodes(count: usize, origin: SocketAddr, tables: &str, more: &str) -> Nodes {
    let nodes = Nodes::start(count, |seat| {
        let tables = tables.replace("{folder}", &seat.folder.display().to_string());
        Orders::File(format!("{tables}\n[defaults]\n{more}\n[[route]]\nto = \"http://{origin}\"\n"))
    });
    nodes.await.expect("nodes start")
}

/// Waits until all nodes together have counted so much.
pub(crate) async fn counted(nodes: &Nodes, name: &str, labels: &[(&str, &str)], least: u64) {
    let holds = async || nodes.sum(name, labels).await.expect("metrics are told") >= least;
    until("it is counted", PATIENCE, holds)
        .await
        .unwrap_or_else(|why| panic!("{name}{labels:?}: {why}"));
}

/// Waits until so many entries are in a tier.
pub(crate) async fn stored(nodes: &Nodes, tier: &str, least: u64) {
    let labels = [("tier", tier), ("result", "stored")];
    counted(nodes, "forebay_tier_stores_total", &labels, least).await;
}

/// What a node answers for a path; it must be 200 and whole.
pub(crate) async fn ask(nodes: &Nodes, node: usize, path: &str) -> (String, String) {
    let answer = nodes.node(node).get(path, &[]).await.expect("it answers");
    assert_eq!((answer.head.status().unwrap(), answer.ending), (200, Ending::Whole), "{path}");
    let said = answer.head.field("cache-status").expect("each answer has one");
    (String::from_utf8_lossy(&answer.body).into_owned(), said)
}

/// Waits until what the first node fetches the second finds in Redis.
pub(crate) async fn works(nodes: &Nodes) {
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let shared = async || {
        let path = format!("/works/{}", TRIES.fetch_add(1, Ordering::Relaxed));
        ask(nodes, 0, &path).await;
        pass(Duration::from_millis(100)).await;
        ask(nodes, 1, &path).await.1.contains("detail=redis")
    };
    until("the tier works", PATIENCE * 2, shared).await.expect("it works");
}

/// Waits until nobody holds a lease any more.
pub(crate) async fn nothing_leased(store: &RedisServer) {
    let free = async || {
        let keys = store.keys("*").await.expect("Redis lists its keys");
        !keys.iter().any(|key| key.contains("}:l"))
    };
    until("no lease is held", PATIENCE, free).await.expect("leases end");
}

/// All answers of a load are 200, whole, and have this body.
pub(crate) fn all_have(asked: &[Asked], body: &str) {
    for Asked { ask, answer } in asked {
        let answer = answer.as_ref().unwrap_or_else(|why| panic!("{}: {why}", ask.address));
        let got = (answer.status, String::from_utf8_lossy(&answer.body));
        assert_eq!((got.0, &*got.1), (200, body), "{}", answer.cache_status);
        assert_eq!(answer.ending, Ending::Whole);
    }
}

/// Lets this span of freshness or of a pause go by.
pub(crate) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}
