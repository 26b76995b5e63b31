//! Servers as these tests want them: one, or a cluster of two, and links to speak with them.

use std::sync::Arc;
use std::time::Duration;

use forebay_cache::redis::{Address, Command, Link, LinkOptions, Reply, Server};
use tokio::time::timeout;

use crate::servers::{RedisServer, free_port, until};

const PATIENCE: Duration = Duration::from_secs(20);

/// The server alone.
pub(crate) fn single(redis: &RedisServer) -> Server {
    Server::Single(Address::Unix(redis.socket()))
}

/// Two servers that share the slots.
pub(crate) async fn cluster() -> ([RedisServer; 2], Server) {
    let nodes = [(); 2].map(|()| {
        let port = free_port();
        let text = port.to_string();
        RedisServer::start(port, &["--port", &text, "--cluster-enabled", "yes"])
    });
    for (node, slots) in nodes.iter().zip([["0", "8191"], ["8192", "16383"]]) {
        node.ask(&[b"CLUSTER", b"ADDSLOTSRANGE", slots[0].as_bytes(), slots[1].as_bytes()]);
    }
    let port = nodes[1].port.to_string();
    nodes[0].ask(&[b"CLUSTER", b"MEET", b"127.0.0.1", port.as_bytes()]);
    for node in &nodes {
        let says = |word: &str, text: &str| {
            String::from_utf8_lossy(&node.ask(&[b"CLUSTER", word.as_bytes()])).contains(text)
        };
        let knows_all = async || {
            says("INFO", "cluster_state:ok")
                && says("NODES", " 0-8191")
                && says("NODES", " 8192-16383")
        };
        until("the cluster is one", knows_all).await;
    }
    let seeds = nodes.iter().map(|it| Address::Tcp("127.0.0.1".to_owned(), it.port)).collect();
    (nodes, Server::Cluster(seeds))
}

/// A link to this server alone, which waits longer than a test takes.
pub(crate) async fn admin(redis: &RedisServer) -> Arc<Link> {
    let options = LinkOptions { call_timeout: PATIENCE, ..LinkOptions::new(single(redis)) };
    let link = Link::open(options);
    timeout(PATIENCE, link.connected()).await.expect("redis-server answers");
    link
}

/// Runs a command of words without spaces.
pub(crate) async fn say(link: &Link, words: &str) -> Reply {
    let parts: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    call(link, &parts).await
}

/// Runs a command.
pub(crate) async fn call(link: &Link, parts: &[&[u8]]) -> Reply {
    let mut command = Command::new();
    parts.iter().for_each(|part| {
        command.arg(*part);
    });
    link.call(&command).await.unwrap()
}

/// A name that the server told.
pub(crate) fn text(reply: &Reply) -> String {
    match reply {
        Reply::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}
