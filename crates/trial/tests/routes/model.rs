//! Any history of writes, cuts and restarts: after it is quiet, all nodes agree with Redis.

use forebay_trial::counting::CountingOrigin;
use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::nodes::Nodes;
use forebay_trial::redis::{RedisOptions, RedisServer};

use super::support::*;

const NODES: usize = 3;

/// Hosts that have routes at times.
const HOSTS: u64 = 12;

const STEPS: usize = 300;

/// Of so many steps, one heals a connection that is ill.
const HEALS_ONE_IN: u64 = 8;

/// A small generator, so that one number replays a history.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// The seed that is asked for, or a new one.
fn seed() -> u64 {
    let told = std::env::var("FOREBAY_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.expect("the clock is right").as_nanos() as u64
    };
    told.unwrap_or_else(now) | 1
}

struct World {
    redis: RedisServer,
    proxies: Vec<FaultProxy>,
    ill: [bool; NODES],
    nodes: Nodes,
    origins: Vec<CountingOrigin>,
    chance: Chance,
}

impl World {
    async fn new(seed: u64) -> Self {
        let redis = RedisOptions::new().persistent().start().await.unwrap();
        let mut proxies = Vec::new();
        for _ in 0..NODES {
            proxies.push(FaultProxy::start(redis.address()).await.unwrap());
        }
        let addresses: Vec<_> = proxies.iter().map(FaultProxy::address).collect();
        let more = format!("{NEVER}table = \"{{folder}}/table\"\ntimeout = \"300ms\"\n");
        let nodes = each(NODES, |number| redis_at(addresses[number]), &more).await;
        let mut origins = Vec::new();
        for name in ["one", "two", "three"] {
            origins.push(origin(name).await);
        }
        World { redis, proxies, ill: [false; NODES], nodes, origins, chance: Chance(seed) }
    }

    fn host(&mut self) -> String {
        format!("h{}.test", self.chance.below(HOSTS))
    }

    /// Does something, and says what.
    async fn step(&mut self) -> String {
        if let Some(node) = self.ill.iter().position(|ill| *ill)
            && self.chance.below(HEALS_ONE_IN) == 0
        {
            return self.change(node, Mood::Pass).await;
        }
        let (host, other) = (self.host(), self.host());
        let node = self.chance.below(NODES as u64) as usize;
        let to = self.chance.below(3) as usize;
        let to = self.origins[to].address();
        match self.chance.below(100) {
            0..30 => self.write(format!("SET {host} {to}")).await,
            30..38 => self.write(format!("DEL {host}")).await,
            38..44 => self.write(format!("SET {host} {to} PX 300")).await,
            44..48 => self.rename(&host, &other).await,
            48..50 => self.write("FLUSHALL".to_owned()).await,
            50..52 => self.write("CLIENT KILL TYPE normal".to_owned()).await,
            52..54 => {
                self.redis.restart().await.unwrap();
                "restart of Redis".to_owned()
            }
            54..57 => {
                let moods = [Mood::Cut, Mood::Stall, Mood::HalfOpen];
                let mood = moods[self.chance.below(3) as usize];
                self.change(node, mood).await
            }
            57..59 => {
                self.nodes.node_mut(node).restart().await.unwrap();
                format!("node {node} is killed and started")
            }
            59 => {
                // Long enough that what is silent is given up.
                pass(MOMENT * 5).await;
                "nothing for a while".to_owned()
            }
            _ => {
                let said = ask(self.nodes.node(node), &host).await;
                format!("node {node} says {said} of {host}")
            }
        }
    }

    async fn change(&mut self, node: usize, mood: Mood) -> String {
        self.proxies[node].set(mood).await.unwrap();
        self.ill[node] = mood != Mood::Pass;
        format!("{mood:?} before node {node}")
    }

    async fn write(&self, words: String) -> String {
        say(&self.redis, &words).await;
        words
    }

    async fn rename(&self, from: &str, to: &str) -> String {
        // Refused where there is no such key.
        self.redis.command(&["RENAME", from, to]).await.unwrap();
        format!("RENAME {from} {to}")
    }

    /// What Redis says of a host, as a node would answer.
    async fn truth(&self, host: &str) -> &'static str {
        let value = self.redis.command(&["GET", host]).await.unwrap().text().unwrap_or_default();
        let named = ["one", "two", "three"];
        let origins = self.origins.iter().map(|origin| origin.address().to_string());
        origins.zip(named).find(|(at, _)| *at == value).map_or(NOTHING, |(_, name)| name)
    }
}

#[tokio::test]
async fn after_any_history_every_node_agrees_with_redis() {
    let seed = seed();
    println!("FOREBAY_SEED={seed}");
    let mut world = World::new(seed).await;
    for number in 0..STEPS {
        let did = world.step().await;
        println!("{number}: {did}");
    }
    for proxy in &mut world.proxies {
        proxy.set(Mood::Pass).await.unwrap();
    }
    // Until the last that expires has expired.
    pass(MOMENT * 2).await;
    for number in 0..HOSTS {
        let host = format!("h{number}.test");
        becomes(&world.nodes, &host, world.truth(&host).await).await;
    }
}
