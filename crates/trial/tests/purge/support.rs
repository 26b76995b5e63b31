//! What all of these trials start, order and ask.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay::admin::purges::Purged;
use forebay_trial::client::Client;
use forebay_trial::counting::CountingOrigin;
use forebay_trial::metrics::Metrics;
use forebay_trial::nodes::{Node, Nodes, Orders};
use forebay_trial::origin::Reply;
use forebay_trial::patience::until;
use forebay_trial::wire::Message;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What operators say.
const TOKEN: &str = "a-token-of-the-trials";

/// An origin whose answers to each path have a version, which only grows.
pub(crate) struct Versions {
    pub(crate) origin: CountingOrigin,
    version: Arc<AtomicU64>,
}

impl Versions {
    /// One whose answers all have these fields.
    pub(crate) async fn start(fields: &'static [&'static str]) -> Self {
        let version = Arc::new(AtomicU64::new(1));
        let now = Arc::clone(&version);
        let answer = move |message: Message| {
            let version = now.load(Ordering::SeqCst);
            let tag = format!("Surrogate-Key: all {}", tag_of(message.head.target()));
            let etag = format!("ETag: \"{version}\"");
            let fields: Vec<&str> =
                fields.iter().copied().chain([tag.as_str(), etag.as_str()]).collect();
            let known = message.head.field("if-none-match");
            let reply = match known.as_deref() == Some(&etag["ETag: ".len()..]) {
                true => Reply::whole(304, &fields, b""),
                false => Reply::whole(200, &fields, version.to_string().as_bytes()),
            };
            std::future::ready(reply)
        };
        Versions { origin: CountingOrigin::start(answer).await.unwrap(), version }
    }

    /// The content changes; the new version.
    pub(crate) fn change(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// The tag of a path: its first segment.
pub(crate) fn tag_of(path: &str) -> &str {
    path.split(['/', '?']).nth(1).unwrap_or_default()
}

/// Nodes before this origin with these tables. `{folder}` is a node's own.
pub(crate) async fn nodes(count: usize, origin: SocketAddr, tables: &str) -> Nodes {
    nodes_each(count, origin, |_| tables.to_owned()).await
}

/// Nodes before this origin, each with tables of its own.
pub(crate) async fn nodes_each(
    count: usize,
    origin: SocketAddr,
    tables: impl Fn(usize) -> String,
) -> Nodes {
    let nodes = Nodes::start(count, |seat| {
        let folder = seat.folder.display().to_string();
        let tables = tables(seat.number).replace("{folder}", &folder);
        Orders::File(format!(
            "admin_token = \"{TOKEN}\"\n{tables}\n[[route]]\nto = \"http://{origin}\"\n"
        ))
    });
    let nodes = nodes.await.unwrap();
    until("each hears of purges", PATIENCE, async || hears(&nodes).await).await.unwrap();
    nodes
}

/// Whether every node is listed, or knows of no other.
async fn hears(nodes: &Nodes) -> bool {
    let mut listed = Vec::new();
    for node in nodes.iter() {
        if counted(node, "forebay_purge_in_doubt").await == 1 {
            return false;
        }
        listed.push(purge(node, r#"{"tags": ["of nothing"], "wait": "1s"}"#).await);
    }
    let is_all = |purged: &Purged| purged.nodes.iter().all(|node| node.state == "applied");
    let is_one = |purged: &Purged| purged.nodes.len() == 1;
    let is_shared = |purged: &Purged| purged.nodes.len() == nodes.count();
    listed.iter().all(is_all) && (listed.iter().all(is_shared) || listed.iter().all(is_one))
}

/// What a node has counted.
pub(crate) async fn counted(node: &Node, name: &str) -> u64 {
    let token = format!("Authorization: Bearer {TOKEN}");
    let answer = node.operate("GET", "/metrics", &[&token]).await.unwrap();
    Metrics::parse(&String::from_utf8_lossy(&answer.body)).unwrap().count(name, &[])
}

/// The table that names a Redis. Trials run beside others on busy machines, so a call may take long.
pub(crate) fn redis(url: &str) -> String {
    format!("[redis]\nurl = \"{url}\"\ntimeout = \"2s\"\n")
}

/// What an operator gets for an order, in JSON.
pub(crate) async fn call(node: &Node, path: &str, body: &str) -> Message {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut client = Client::connect(node.admin()).await.unwrap();
    client.ask(&request, PATIENCE).await.unwrap()
}

/// Purges, and says how far each node is.
pub(crate) async fn purge(node: &Node, order: &str) -> Purged {
    let answer = call(node, "/purge", order).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.head.status().unwrap(), 200, "{order}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// The version that a node gives for a path, and what is said of it.
pub(crate) async fn version(node: &Node, path: &str) -> (u64, String) {
    let answer = node.get(path, &[]).await.unwrap();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.head.status().unwrap(), 200, "{path}: {text}");
    let said = answer.head.field("cache-status").unwrap();
    (text.parse().unwrap(), said)
}
