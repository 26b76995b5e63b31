//! Five nodes under load, purged by each kind, while nodes are killed and cut off and Redis is
//! restarted: nobody gets what he must not.
//!
//! `FOREBAY_PURGES=10000 cargo test -p forebay-trial --test purge soak -- --nocapture` does as many
//! purges as the documentation says; by default they are fewer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay::admin::purges::Purged;
use forebay_trial::client::Client;
use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::nodes::{Nodes, request};
use forebay_trial::patience::until;
use forebay_trial::redis::{RedisOptions, RedisPair, RedisServer};
use tokio::task::JoinHandle;

use crate::checker::Checker;
use crate::support::{PATIENCE, Versions, nodes_each, purge, redis};

const NODES: usize = 5;

/// Each is a prefix of paths and a tag.
const PARTS: [&str; 3] = ["a", "b", "c"];

/// The bound of doubt, as the nodes are told it.
const BOUND: Duration = Duration::from_secs(2);

/// How long a fetch or an answer may take beyond it.
const SLACK: Duration = Duration::from_millis(500);

const FIELDS: &[&str] = &["Cache-Control: max-age=600"];

/// The orders that cover a path's part.
fn order(at: u64, part: &str) -> String {
    match at % 5 {
        0 => format!(r#"{{"tags": ["{part}"]}}"#),
        1 => format!(r#"{{"prefixes": ["http://example.test/{part}/"]}}"#),
        2 => format!(
            r#"{{"urls": ["http://example.test/{part}/0", "http://example.test/{part}/1"]}}"#
        ),
        3 => r#"{"hosts": ["example.test"]}"#.to_owned(),
        _ => r#"{"all": true}"#.to_owned(),
    }
}

struct Field {
    versions: Versions,
    checkers: [Checker; PARTS.len()],
    purges: AtomicU64,
    answers: AtomicU64,
    over: AtomicBool,
}

impl Field {
    async fn start() -> Arc<Self> {
        Arc::new(Field {
            versions: Versions::start(FIELDS).await,
            checkers: PARTS.map(|_| Checker::new(NODES, BOUND + SLACK)),
            purges: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            over: AtomicBool::new(false),
        })
    }

    /// Clients that ask these nodes until it is over.
    fn load(self: &Arc<Self>, nodes: &Nodes) -> Vec<JoinHandle<()>> {
        let client = |at| tokio::spawn(client(Arc::clone(self), nodes.addresses(), at));
        (0..2 * nodes.count()).map(client).collect()
    }

    /// Ends the load; the counts of purges and answers.
    async fn end(&self, clients: Vec<JoinHandle<()>>) -> (u64, u64) {
        self.over.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        (self.purges.load(Ordering::Relaxed), self.answers.load(Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_serves_what_was_purged_whatever_dies() {
    let wanted = std::env::var("FOREBAY_PURGES").ok().and_then(|said| said.parse().ok());
    let wanted: u64 = wanted.unwrap_or(400);
    let mut store = RedisServer::with(RedisOptions::new().persistent().line("appendfsync always"))
        .await
        .unwrap();
    let field = Field::start().await;
    let mut wires = Vec::new();
    for _ in 0..NODES {
        wires.push(FaultProxy::start(store.address()).await.unwrap());
    }
    let urls: Vec<String> = wires.iter().map(|wire| store.url_through(wire.address())).collect();
    let mut nodes = nodes_each(NODES, field.versions.origin.address(), |number| {
        let disk = "[disk]\npath = \"{folder}/disk\"\nsize = \"64MiB\"\n";
        // So small a log is trimmed while it runs: who starts again meets less than all of it.
        let log = "[purge]\nlog_max = 1000\n";
        redis(&urls[number]) + log + if number % 2 == 0 { disk } else { "" }
    })
    .await;
    let clients = field.load(&nodes);
    let mut faults = 0;
    while field.purges.load(Ordering::Relaxed) < wanted {
        let until = field.purges.load(Ordering::Relaxed) + wanted.div_ceil(8);
        while field.purges.load(Ordering::Relaxed) < until.min(wanted) {
            purge_once(&field, &nodes).await;
        }
        let victim = faults % NODES;
        match faults % 4 {
            0 => nodes.node_mut(victim).restart().await.unwrap(),
            1 => wires[victim].set(Mood::Cut).await.unwrap(),
            2 => wires[victim].set(Mood::Stall).await.unwrap(),
            _ => store.restart().await.unwrap(),
        }
        for _ in 0..3 {
            purge_once(&field, &nodes).await;
        }
        for wire in &mut wires {
            wire.set(Mood::Pass).await.unwrap();
        }
        faults += 1;
        field.versions.origin.forget();
    }
    let (purges, answers) = field.end(clients).await;
    println!("{purges} purges, {answers} answers, {faults} faults, no violation");
    assert!(answers > purges, "there was load: {answers} answers");
}

/// Changes the content, purges a part of it, and tells the checker what was promised.
async fn purge_once(field: &Field, nodes: &Nodes) {
    let at = field.purges.fetch_add(1, Ordering::Relaxed);
    let part = (at as usize / 5) % PARTS.len();
    let version = field.versions.change();
    let node = nodes.node(at as usize % nodes.count());
    let answer = crate::support::call(node, "/purge", &order(at, PARTS[part])).await;
    if answer.head.status().unwrap() != 200 {
        // Refused, or not for sure: nothing was promised.
        return;
    }
    let purged: Purged = serde_json::from_slice(&answer.body).unwrap();
    let is_applied = |number: &usize| {
        let port = format!(":{}", nodes.node(*number).address().port());
        let of_node = purged.nodes.iter().filter(|node| node.node.ends_with(&port));
        // A node that was restarted is listed twice for a while: the dead one is not heard.
        of_node.clone().any(|node| node.state == "applied")
    };
    let applied: Vec<usize> = (0..nodes.count()).filter(is_applied).collect();
    match at % 5 {
        3 | 4 => field.checkers.iter().for_each(|checker| checker.purged(version, &applied)),
        _ => field.checkers[part].purged(version, &applied),
    }
}

/// Asks nodes in turn, and checks each answer.
async fn client(field: Arc<Field>, addresses: Vec<std::net::SocketAddr>, begin: usize) {
    let mut turn = begin;
    while !field.over.load(Ordering::Relaxed) {
        turn += 1;
        let node = turn % addresses.len();
        let part = turn / NODES % PARTS.len();
        let path = format!("/{}/{}", PARTS[part], turn / 7 % 2);
        let floor = field.checkers[part].asks(node);
        let Ok(mut client) = Client::connect(addresses[node]).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // A node that is being killed answers nothing; that is no violation.
        let Ok(answer) = client.ask(&request("GET", &path, &[]), PATIENCE).await else { continue };
        if answer.head.status().ok() != Some(200) {
            continue;
        }
        let Ok(version) = String::from_utf8_lossy(&answer.body).parse() else { continue };
        field.answers.fetch_add(1, Ordering::Relaxed);
        if let Err(why) = field.checkers[part].check(floor, version) {
            let said = answer.head.field("cache-status").unwrap_or_default();
            panic!("node {node} gave {path}: {why}; {said}");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_holds_up_a_purge_no_longer_than_the_bound() {
    let store = RedisServer::start().await.unwrap();
    let versions = Versions::start(FIELDS).await;
    let mut nodes = crate::support::nodes(3, versions.origin.address(), &redis(&store.url())).await;
    nodes.node_mut(2).kill().await.unwrap();
    let purged = purge(nodes.node(0), r#"{"all": true}"#).await;
    let port = format!(":{}", nodes.node(2).address().port());
    let dead = purged.nodes.iter().find(|node| node.node.ends_with(&port)).unwrap();
    assert_eq!(dead.state, "unheard", "{purged:?}");
    assert!(dead.unheard_millis.unwrap() >= BOUND.as_millis() as u64, "{purged:?}");
    assert!(purged.complete, "{purged:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_serves_what_was_purged_though_redis_fails_over() {
    let mut pair = RedisPair::start().await.unwrap();
    let field = Field::start().await;
    let sentinels: Vec<String> =
        pair.sentinel_addresses().iter().map(ToString::to_string).collect();
    let url = format!("redis+sentinel://{}/{}", sentinels.join(","), pair.service());
    let nodes = crate::support::nodes(3, field.versions.origin.address(), &redis(&url)).await;
    let clients = field.load(&nodes);
    for round in 0..2 {
        for _ in 0..40 {
            purge_once(&field, &nodes).await;
        }
        match round {
            0 => pair.fail_over().await.unwrap(),
            _ => drop(pair.kill_primary().await.unwrap()),
        }
        let before = field.answers.load(Ordering::Relaxed);
        for _ in 0..20 {
            purge_once(&field, &nodes).await;
        }
        assert!(field.answers.load(Ordering::Relaxed) > before, "clients are answered meanwhile");
    }
    let works = async || {
        let answer = crate::support::call(nodes.node(0), "/purge", r#"{"all": true}"#).await;
        answer.head.status().unwrap() == 200
    };
    until("purges are written again", PATIENCE, works).await.unwrap();
    let (purges, answers) = field.end(clients).await;
    println!("{purges} purges, {answers} answers, two failovers, no violation");
}
