//! Another primary, which does not know all that the one before it knew.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use forebay_cache::mechanism::{Epoch, Log, Standing, Verdict};
use forebay_cache::redis::{Address, Server};

use crate::servers::{RedisServer, own_directory, until};
use crate::stage::{Node, key, nodes, single};

/// A primary and its replica, behind a name that can be turned from one to the other.
struct Pair {
    primary: RedisServer,
    replica: RedisServer,
    name: PathBuf,
}

impl Pair {
    async fn start() -> Self {
        let primary = RedisServer::on_port(&["--repl-diskless-sync-delay", "0"]);
        let port = primary.port.to_string();
        let replica = RedisServer::on_socket(&["--replicaof", "127.0.0.1", &port]);
        let directory = own_directory();
        let name = directory.join("current");
        symlink(primary.socket(), &name).unwrap();
        let replica = replica.owning(directory);
        Self { primary, replica, name }
    }

    fn server(&self) -> Server {
        Server::Single(Address::Unix(self.name.clone()))
    }

    /// Waits until the replica knows the log as the primary does; from then on it learns nothing.
    async fn part(&self) {
        let known = |server: &RedisServer| {
            server.ask(&[b"HMGET", &key("summary"), b"lineage", b"number", b"token"])
        };
        until("in step", async || known(&self.primary) == known(&self.replica)).await;
        assert_eq!(self.replica.ask(&[b"REPLICAOF", b"NO", b"ONE"]), b"+OK\r\n");
        assert_eq!(known(&self.primary), known(&self.replica));
    }

    /// The replica is the primary from now on.
    fn fail_over(&mut self) {
        let next = self.name.with_extension("next");
        symlink(self.replica.socket(), &next).unwrap();
        fs::rename(next, &self.name).unwrap();
        self.primary.kill();
    }
}

/// All are sure, of one log that is none of before, and hold nothing of before for proven.
async fn all_begin_anew(nodes: &[&Node], before: &[Epoch]) {
    let is_new = |node: &Node| before.iter().all(|it| it.lineage() != node.position().lineage);
    for node in nodes {
        node.until("in another log", |node| is_new(node) && node.position().lineage != 0).await;
        node.sure().await;
    }
    let appended = nodes[0].purge("after").await;
    for (name, standing) in nodes[0].applied(appended.last).await {
        let is_ours = nodes.iter().any(|node| node.name == name);
        assert!(!is_ours || standing == Standing::Applied, "{name}: {standing:?}");
    }
    for node in nodes {
        for epoch in before {
            assert_eq!(node.judge(*epoch, "of before"), Verdict::Unproven);
        }
        assert_eq!(node.position(), appended.last);
    }
}

fn epoch(node: &Node) -> Epoch {
    node.log.purges().epoch()
}

#[tokio::test]
async fn a_failover_that_loses_the_newest_purges_is_noticed_by_all() {
    let mut pair = Pair::start().await;
    let nodes = nodes(&pair.server(), 3).await;
    pair.part().await;
    let before = epoch(&nodes[1]);
    let lost = nodes[0].purge("lost").await;
    nodes[0].applied(lost.last).await;
    let after = epoch(&nodes[1]);
    let shaken = nodes[0].log.numbers().shaken;
    pair.fail_over();
    all_begin_anew(&nodes.iter().collect::<Vec<_>>(), &[before, after]).await;
    // The roll is older, too: for a while nobody is taken for unheard because of it.
    assert!(nodes[0].log.numbers().shaken > shaken);
    assert!(nodes.iter().map(|node| node.log.numbers().renewed).sum::<u64>() >= 1);
}

#[tokio::test]
async fn a_log_that_grew_past_what_it_lost_is_noticed_by_all() {
    let mut pair = Pair::start().await;
    let nodes = nodes(&pair.server(), 2).await;
    pair.part().await;
    let before = epoch(&nodes[1]);
    for tag in ["lost", "lost too"] {
        let lost = nodes[0].purge(tag).await;
        nodes[0].applied(lost.last).await;
    }
    let other = Node::start(&single(&pair.replica), "other").await;
    let grown = other.purge("1").await.last;
    for tag in ["2", "3", "4", "5"] {
        other.purge(tag).await;
    }
    assert!(other.position().number > nodes[0].position().number);
    let epochs = [before, epoch(&nodes[0]), grown.epoch(), epoch(&other)];
    pair.fail_over();
    all_begin_anew(&[&nodes[0], &nodes[1], &other], &epochs).await;
}

#[tokio::test]
async fn an_older_log_that_comes_back_is_not_believed() {
    let mut pair = Pair::start().await;
    let nodes = nodes(&pair.server(), 2).await;
    let before = epoch(&nodes[1]);
    pair.part().await;
    pair.primary.ask(&[b"FLUSHALL"]);
    for node in &nodes {
        node.until("in another log", |node| node.position().lineage != before.lineage()).await;
    }
    // Under the newer log it is purged; the older one knows nothing of that.
    let purged = nodes[0].purge("of before").await;
    nodes[0].applied(purged.last).await;
    let between = epoch(&nodes[1]);
    pair.fail_over();
    all_begin_anew(&nodes.iter().collect::<Vec<_>>(), &[before, between]).await;
}

#[tokio::test]
async fn a_restart_with_nothing_kept_is_noticed_by_all() {
    let mut redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 3).await;
    let before = epoch(&nodes[1]);
    redis.kill();
    redis.start_again();
    all_begin_anew(&nodes.iter().collect::<Vec<_>>(), &[before]).await;
}

#[tokio::test]
async fn another_primary_behind_the_same_connection_is_noticed() {
    let redis = RedisServer::on_socket(&["--enable-debug-command", "yes"]);
    let node = Node::start(&single(&redis), "here").await;
    let before = node.log.numbers().shaken;
    // As a replica does that goes on as the primary; in a cluster no connection of the link ends then.
    assert_eq!(redis.ask(&[b"DEBUG", b"CHANGE-REPL-ID"]), b"+OK\r\n");
    node.until("shaken", |node| node.log.numbers().shaken > before).await;
}
