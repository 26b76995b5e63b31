//! The log of purges over Redis while the way to it is bad, and while Sentinel names another primary:
//! whoever was said to have applied a purge has, and whoever was not is in doubt.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use forebay_cache::mechanism::{
    Belongs, Clock, Epoch, Group, Kind, Log, Rule, Rules, Scope, Standing, Trust, Verdict,
};
use forebay_cache::purge::Bounds;
use forebay_cache::redis::{
    Address, Link, LinkOptions, Names, NodeName, RedisLog, RedisLogOptions, Server,
};
use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::redis::{RedisPair, RedisServer};
use tokio::time::{Instant, sleep, timeout};

const BOUND: Duration = Duration::from_millis(800);

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn address(at: SocketAddr) -> Address {
    Address::Tcp(at.ip().to_string(), at.port())
}

fn node(server: Server, name: &str) -> RedisLog {
    let link = Link::open(LinkOptions {
        call_timeout: Duration::from_millis(300),
        ping_every: Duration::from_millis(300),
        retry_pause_max: Duration::from_millis(100),
        ..LinkOptions::new(server)
    });
    let name = NodeName { name: name.to_owned(), address: None };
    let options = RedisLogOptions {
        bound: BOUND,
        beat_every: Duration::from_millis(150),
        call_timeout: Duration::from_millis(300),
        ..RedisLogOptions::new(Names::of_whole_keys("fb:"), name)
    };
    RedisLog::open(link, Rules::new(Bounds::default()), Clock::system(), options)
}

fn trust(node: &RedisLog) -> Trust {
    node.purges().trust(Instant::now())
}

async fn sure(node: &RedisLog) {
    let waited = async {
        while trust(node) == Trust::Doubt {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{node:?} {:?}", node.numbers()));
}

fn tag(number: u32) -> Group {
    Group::of("tag", &number.to_le_bytes())
}

fn judge(node: &RedisLog, epoch: Epoch, number: u32) -> Verdict {
    let mut belongs = Belongs::new();
    belongs.to(tag(number));
    node.purges().judge(epoch, &belongs)
}

fn purge(number: u32) -> Vec<Rule> {
    vec![Rule { scope: Scope::Group(tag(number)), kind: Kind::Hard }]
}

/// Whether a node serves as fresh what was fetched then and is purged now.
fn serves(node: &RedisLog, epoch: Epoch, number: u32) -> bool {
    trust(node) == Trust::Sure && judge(node, epoch, number) == Verdict::Alive
}

#[tokio::test]
async fn behind_a_bad_line_a_node_applies_what_it_is_said_to_or_is_in_doubt() {
    let redis = RedisServer::start().await.unwrap();
    let writer = node(Server::Single(address(redis.address())), "writer");
    sure(&writer).await;
    let moods = [
        Mood::Cut,
        Mood::Stall,
        Mood::HalfOpen,
        Mood::Latency { there: BOUND, back: Duration::ZERO },
        Mood::Latency { there: Duration::ZERO, back: BOUND },
        Mood::Latency { there: Duration::from_millis(60), back: Duration::from_millis(60) },
        Mood::Drip { bytes: 40, every: Duration::from_millis(20) },
    ];
    for (number, mood) in (0..).zip(moods) {
        let mut proxy = FaultProxy::start(redis.address()).await.unwrap();
        let far = node(Server::Single(address(proxy.address())), &format!("far{number}"));
        sure(&far).await;
        let before = far.purges().epoch();
        proxy.set(mood).await.unwrap();
        let appended = writer.append(purge(number)).await.unwrap();
        let standings = writer.applied(appended.last, PATIENCE).await;
        assert!(!serves(&far, before, number), "{mood:?}: {standings:?}");
        let named = standings.iter().find(|it| it.node == format!("far{number}")).unwrap();
        match named.standing {
            Standing::Applied => {
                assert_eq!(judge(&far, before, number), Verdict::Gone { by: appended.first });
            }
            Standing::Unheard { .. } => {}
            Standing::Behind { .. } => panic!("{mood:?}: {standings:?}"),
        }
        proxy.set(Mood::Pass).await.unwrap();
        sure(&far).await;
        assert_eq!(judge(&far, before, number), Verdict::Gone { by: appended.first });
        far.close().await;
    }
}

/// Purges one after the other, and checks each that returned, until it is stopped.
async fn purge_on(nodes: Arc<[RedisLog]>, first: u32, rounds: u32) -> u32 {
    let mut returned = 0;
    for number in first..first + rounds {
        let before: Vec<Epoch> = nodes.iter().map(|node| node.purges().epoch()).collect();
        let purger = &nodes[number as usize % nodes.len()];
        let Ok(appended) = purger.append(purge(number)).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let standings = purger.applied(appended.last, 4 * BOUND).await;
        if standings.iter().any(|it| matches!(it.standing, Standing::Behind { .. })) {
            continue;
        }
        returned += 1;
        for (node, epoch) in nodes.iter().zip(before) {
            assert!(!serves(node, epoch, number), "{number}: {standings:?} {node:?}");
        }
        sleep(Duration::from_millis(20)).await;
    }
    returned
}

async fn through_a_failover(kills: Kills) {
    let mut pair = RedisPair::start().await.unwrap();
    let sentinels = pair.sentinel_addresses().into_iter().map(address).collect();
    let service = pair.service().to_owned();
    let server = Server::Sentinel { sentinels, service, username: None, password: None };
    let nodes: Arc<[RedisLog]> =
        (0..3).map(|number| node(server.clone(), &format!("n{number}"))).collect();
    for node in nodes.iter() {
        sure(node).await;
    }
    assert!(purge_on(Arc::clone(&nodes), 0, 10).await > 0);
    let purging = tokio::spawn(purge_on(Arc::clone(&nodes), 100, 100));
    match kills {
        Kills::Nobody => pair.fail_over().await.unwrap(),
        Kills::ThePrimary => {
            let old = pair.kill_primary().await.unwrap();
            pair.moved_from(old).await.unwrap();
        }
    }
    purging.await.unwrap();
    for node in nodes.iter() {
        sure(node).await;
    }
    assert!(purge_on(Arc::clone(&nodes), 1_000, 10).await > 0);
    let lineages: Vec<u64> = nodes.iter().map(|node| node.purges().position().lineage).collect();
    assert_eq!(lineages, [lineages[0]; 3]);
}

enum Kills {
    Nobody,
    ThePrimary,
}

#[tokio::test]
async fn no_purge_that_returned_is_forgotten_when_sentinel_names_another_primary() {
    through_a_failover(Kills::Nobody).await;
}

#[tokio::test]
async fn no_purge_that_returned_is_forgotten_when_the_primary_is_killed() {
    through_a_failover(Kills::ThePrimary).await;
}
