//! Nodes as these tests want them, and what is asked of them.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use forebay_cache::mechanism::{
    Appended, Belongs, Clock, Epoch, Group, Kind, Log, LogFailure, NodeStanding, Position, Rule,
    Rules, Standing, Trust, Verdict,
};
use forebay_cache::purge::{Bounds, Scope};
use forebay_cache::redis::{
    Address, Link, LinkOptions, Names, NodeName, RedisLog, RedisLogOptions, Server,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::servers::{RedisServer, until};

/// Where all of it lies.
pub(crate) const PREFIX: &str = "fb:";

/// How long a node may be unheard.
pub(crate) const BOUND: Duration = Duration::from_millis(600);

/// Longer than anything takes, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A process, as far as it is about purges: its tasks end with its runtime.
pub(crate) struct Node {
    runtime: Option<Runtime>,
    pub(crate) log: Arc<RedisLog>,
    pub(crate) name: String,
}

pub(crate) fn single(redis: &RedisServer) -> Server {
    Server::Single(Address::Unix(redis.socket()))
}

pub(crate) fn link_options(server: &Server) -> LinkOptions {
    LinkOptions {
        call_timeout: Duration::from_millis(500),
        ping_every: Duration::from_millis(200),
        retry_pause_max: Duration::from_millis(100),
        ..LinkOptions::new(server.clone())
    }
}

pub(crate) fn log_options(name: &str) -> RedisLogOptions {
    let node = NodeName { name: name.to_owned(), address: None };
    RedisLogOptions {
        bound: BOUND,
        beat_every: Duration::from_millis(100),
        append_timeout: Duration::from_secs(5),
        ..RedisLogOptions::new(Names::of_whole_keys(PREFIX), node)
    }
}

impl Node {
    /// A node that follows, and is sure.
    pub(crate) async fn start(server: &Server, name: &str) -> Self {
        let node = Self::with(link_options(server), log_options(name));
        node.sure().await;
        node
    }

    /// A node that is just starting.
    pub(crate) fn with(link: LinkOptions, options: RedisLogOptions) -> Self {
        Self::knowing(Rules::new(Bounds::default()), link, options)
    }

    /// A node that is just starting, and knows this of before.
    pub(crate) fn knowing(rules: Rules, link: LinkOptions, options: RedisLogOptions) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let name = options.node.name.clone();
        let log = {
            let _within = runtime.enter();
            Arc::new(RedisLog::open(Link::open(link), rules, Clock::system(), options))
        };
        Self { runtime: Some(runtime), log, name }
    }

    /// Ends as a process that is killed: nothing is told to anyone.
    pub(crate) fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Drops the log alone; what it does then runs on its runtime.
    pub(crate) fn end_log(mut self) -> Runtime {
        self.runtime.take().unwrap()
    }

    /// Ends as a process that is told to.
    pub(crate) async fn end(mut self) {
        let runtime = self.runtime.take().unwrap();
        let log = Arc::clone(&self.log);
        drop(self);
        Arc::try_unwrap(log).unwrap().close().await;
        runtime.shutdown_background();
    }

    pub(crate) fn trust(&self) -> Trust {
        self.log.purges().trust(Instant::now())
    }

    pub(crate) fn position(&self) -> Position {
        self.log.purges().position()
    }

    pub(crate) async fn sure(&self) {
        self.until("sure", |node| node.trust() == Trust::Sure).await;
    }

    pub(crate) async fn in_doubt(&self) {
        self.until("in doubt", |node| node.trust() == Trust::Doubt).await;
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let what = format!("{}: {what}: {:?} {:?}", self.name, self.log, self.log.numbers());
        until(&what, async || is_so(self)).await;
    }

    /// Waits until it has followed the log to there.
    pub(crate) async fn reaches(&self, place: Position) {
        self.until(&format!("at {place:?}"), |node| node.position() == place).await;
    }

    /// Purges as soon as it can: a node that is still sure may have lost its connection.
    pub(crate) async fn purge(&self, tag: &str) -> Appended {
        let mut appended = None;
        until("a purge is written", async || {
            appended = match self.log.append(vec![hard(tag)]).await {
                Err(LogFailure::Refused(_)) => None,
                written => Some(written.unwrap()),
            };
            appended.is_some()
        })
        .await;
        appended.unwrap()
    }

    /// Who has applied it, with the longest wait.
    pub(crate) async fn applied(&self, place: Position) -> Vec<(String, Standing)> {
        named(self.log.applied(place, PATIENCE).await)
    }

    /// What it says of an entry that was fetched then and bears this tag.
    pub(crate) fn judge(&self, epoch: Epoch, tag: &str) -> Verdict {
        let mut belongs = Belongs::new();
        belongs.to(group(tag));
        self.log.purges().judge(epoch, &belongs)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Nodes that are sure, on a roll that is old enough.
pub(crate) async fn nodes(server: &Server, count: usize) -> Vec<Node> {
    let mut nodes = Vec::new();
    for number in 0..count {
        nodes.push(Node::start(server, &format!("n{number}")).await);
    }
    let place = nodes[0].purge("the first of all").await.last;
    let all = nodes[0].applied(place).await;
    assert_eq!(all.len(), count);
    assert!(all.iter().all(|(_, standing)| *standing == Standing::Applied), "{all:?}");
    nodes
}

pub(crate) fn named(standings: Vec<NodeStanding>) -> Vec<(String, Standing)> {
    standings.into_iter().map(|it| (it.node, it.standing)).collect()
}

pub(crate) fn of(name: &str, standings: &[(String, Standing)]) -> Standing {
    standings.iter().find(|(it, _)| it == name).unwrap_or_else(|| panic!("{standings:?}")).1
}

pub(crate) fn group(tag: &str) -> Group {
    Group::of("tag", tag.as_bytes())
}

pub(crate) fn hard(tag: &str) -> Rule {
    Rule { scope: Scope::Group(group(tag)), kind: Kind::Hard }
}

/// The name under which this lies in Redis.
pub(crate) fn key(kind: &str) -> Vec<u8> {
    format!("{PREFIX}{{purges}}:{kind}").into_bytes()
}

/// A user for a node, which can be locked out.
pub(crate) fn add_user(redis: &RedisServer, name: &str) {
    let said =
        redis.ask(&[b"ACL", b"SETUSER", name.as_bytes(), b"on", b">pw", b"~*", b"&*", b"+@all"]);
    assert_eq!(said, b"+OK\r\n");
}

/// Cuts a node off; the others go on.
pub(crate) fn lock_out(redis: &RedisServer, name: &str) {
    redis.ask(&[b"ACL", b"SETUSER", name.as_bytes(), b"off"]);
    redis.ask(&[b"CLIENT", b"KILL", b"USER", name.as_bytes()]);
}

/// Lets it in again.
pub(crate) fn let_in(redis: &RedisServer, name: &str) {
    redis.ask(&[b"ACL", b"SETUSER", name.as_bytes(), b"on"]);
}

/// Options of a node that can be locked out.
pub(crate) fn as_user(server: &Server, name: &str) -> LinkOptions {
    LinkOptions {
        username: Some(name.to_owned()),
        password: Some("pw".to_owned()),
        ..link_options(server)
    }
}

/// How long it took, for a test that says so.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Moment::now();
    let output = future.await;
    (output, began.elapsed())
}
