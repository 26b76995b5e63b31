//! What all of these trials start and ask.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use forebay_trial::counting::CountingOrigin;
use forebay_trial::nodes::{Node, Nodes, Orders, request};
use forebay_trial::patience::until;
use forebay_trial::redis::{RedisOptions, RedisServer};
use forebay_trial::wire::{Ending, Message};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough that something would have come.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);

/// So rare that no trial sees it: what is followed then was heard of.
pub(crate) const NEVER: &str = "reconcile = \"1h\"\n";

/// What a host without a route is answered.
pub(crate) const NOTHING: &str = "404";

/// Lets this span go by.
pub(crate) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// A Redis, and origins that each say their name.
pub(crate) struct Site {
    pub(crate) redis: RedisServer,
    pub(crate) one: CountingOrigin,
    pub(crate) two: CountingOrigin,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Site::with(RedisOptions::new()).await
    }

    pub(crate) async fn with(options: RedisOptions) -> Self {
        Site {
            redis: options.start().await.expect("Redis starts"),
            one: origin("one").await,
            two: origin("two").await,
        }
    }

    /// So many nodes that read their routes in this site's Redis, with these lines of `[routes]`.
    pub(crate) async fn nodes(&self, count: usize, more: &str) -> Nodes {
        nodes(count, &self.redis.url(), more).await
    }

    pub(crate) async fn say(&self, words: &str) {
        say(&self.redis, words).await;
    }

    /// `SET`s the route of a host.
    pub(crate) async fn set(&self, host: &str, to: &CountingOrigin) {
        self.say(&format!("SET {host} {}", to.address())).await;
    }
}

/// Says a command whose words have no blanks, and must not be refused.
pub(crate) async fn say(redis: &RedisServer, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    let reply = redis.command(&words).await.unwrap_or_else(|why| panic!("{words:?}: {why}"));
    let shown = format!("{reply:?}");
    assert!(!shown.starts_with("Error"), "{words:?}: {shown}");
}

/// An origin that says its name to everybody, to be kept by nobody.
pub(crate) async fn origin(name: &str) -> CountingOrigin {
    CountingOrigin::saying(&["Cache-Control: no-store"], name.as_bytes()).await.expect("it starts")
}

/// So many nodes that read their routes here. `{folder}` in what they are told is a node's own.
pub(crate) async fn nodes(count: usize, redis: &str, more: &str) -> Nodes {
    each(count, |_| redis.to_owned(), more).await
}

/// The same, each reading where it is told by its number.
pub(crate) async fn each(count: usize, redis: impl Fn(usize) -> String, more: &str) -> Nodes {
    let nodes = Nodes::start(count, |seat| {
        let more = more.replace("{folder}", &seat.folder.display().to_string());
        let timeout = if more.contains("timeout =") { "" } else { "timeout = \"5s\"\n" };
        Orders::File(format!("[routes]\nredis = \"{}\"\n{timeout}{more}", redis(seat.number)))
    });
    nodes.await.expect("nodes start")
}

/// What a node answers for a host.
pub(crate) async fn answer(node: &Node, host: &str) -> Message {
    let asked = node.ask(&request("GET", "/", &[&format!("Host: {host}")])).await;
    asked.unwrap_or_else(|why| panic!("{host}: {why}\n{}", node.output()))
}

/// The same in short: the name of the origin, or the status where there is none.
pub(crate) async fn ask(node: &Node, host: &str) -> String {
    let answer = answer(node, host).await;
    match answer.head.status().unwrap() {
        200 => {
            assert_eq!(answer.ending, Ending::Whole);
            String::from_utf8_lossy(&answer.body).into_owned()
        }
        status => status.to_string(),
    }
}

/// Waits until all nodes answer so for a host, and prints how long that took.
pub(crate) async fn becomes(nodes: &Nodes, host: &str, expected: &str) {
    let began = Instant::now();
    for node in nodes.iter() {
        let mut last = String::new();
        let so = async || {
            last = ask(node, host).await;
            last == expected
        };
        let waited = until("the route is followed", PATIENCE, so).await;
        let number = node.number();
        waited.unwrap_or_else(|why| {
            panic!("node {number} says `{last}` of {host}: {why}\n{}", node.output())
        });
    }
    println!("{host} is `{expected}` everywhere after {:?}", began.elapsed());
}

/// Waits until the nodes read routes at all: for one host they find what was set.
pub(crate) async fn works(site: &Site, nodes: &Nodes) {
    site.set("works.test", &site.one).await;
    becomes(nodes, "works.test", "one").await;
}

/// How often keys were read in Redis.
pub(crate) async fn reads(redis: &RedisServer) -> u64 {
    calls(redis, "getrange").await
}

/// How often a command was carried out.
pub(crate) async fn calls(redis: &RedisServer, command: &str) -> u64 {
    let stats = redis.command(&["INFO", "commandstats"]).await.unwrap().text().unwrap();
    let begin = format!("cmdstat_{command}:calls=");
    let count = stats.lines().find_map(|line| line.strip_prefix(&begin)?.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

/// An address as a URL of Redis.
pub(crate) fn redis_at(address: SocketAddr) -> String {
    format!("redis://{address}")
}
