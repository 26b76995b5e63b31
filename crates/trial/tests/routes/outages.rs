//! Redis, or the way to it, is away for a while: what is known goes on, and what changed meanwhile is
//! followed when it is back.

use std::time::Duration;

use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::redis::{RedisCluster, RedisPair, RedisServer};

use super::support::*;

/// What both changes and goes on while the network does this.
async fn lives_through(mood: Mood) {
    let site = Site::new().await;
    let mut proxy = FaultProxy::start(site.redis.address()).await.unwrap();
    let nodes = nodes(2, &redis_at(proxy.address()), NEVER).await;
    for host in ["kept.test", "moved.test", "gone.test"] {
        site.set(host, &site.one).await;
        becomes(&nodes, host, "one").await;
    }
    becomes(&nodes, "new.test", NOTHING).await;
    proxy.set(mood).await.unwrap();
    site.set("moved.test", &site.two).await;
    site.set("new.test", &site.two).await;
    site.say("DEL gone.test").await;
    for _ in 0..20 {
        for node in nodes.iter() {
            assert_eq!(ask(node, "kept.test").await, "one", "{mood:?}");
        }
    }
    proxy.set(Mood::Pass).await.unwrap();
    becomes(&nodes, "moved.test", "two").await;
    becomes(&nodes, "new.test", "two").await;
    becomes(&nodes, "gone.test", NOTHING).await;
    becomes(&nodes, "kept.test", "one").await;
    // And it is heard again.
    site.set("kept.test", &site.two).await;
    becomes(&nodes, "kept.test", "two").await;
}

#[tokio::test]
async fn a_cut_of_the_connection_loses_no_change() {
    lives_through(Mood::Cut).await;
}

#[tokio::test]
async fn a_stall_of_the_connection_loses_no_change() {
    lives_through(Mood::Stall).await;
}

#[tokio::test]
async fn a_half_open_connection_loses_no_change() {
    lives_through(Mood::HalfOpen).await;
}

#[tokio::test]
async fn a_stall_that_never_ends_by_itself_is_noticed_and_another_connection_made() {
    let site = Site::new().await;
    let mut proxy = FaultProxy::start(site.redis.address()).await.unwrap();
    let nodes = nodes(1, &redis_at(proxy.address()), NEVER).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    proxy.set(Mood::HalfOpen).await.unwrap();
    let before = proxy.connections();
    // The connection that lost bytes stays: whoever does not ask for a sign of life never knows.
    let again = async || proxy.connections() > before;
    forebay_trial::patience::until("it connects again", PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_failover_is_followed() {
    let mut pair = RedisPair::start().await.unwrap();
    let (one, two) = (origin("one").await, origin("two").await);
    let sentinels = pair.sentinel_addresses().iter().map(ToString::to_string).collect::<Vec<_>>();
    let url = format!("redis+sentinel://{}/{}", sentinels.join(","), pair.service());
    let nodes = nodes(2, &url, NEVER).await;
    let set = async |redis: &RedisServer, host: &str, to: std::net::SocketAddr| {
        say(redis, &format!("SET {host} {to}")).await;
    };
    set(pair.primary().await.unwrap(), "a.test", one.address()).await;
    becomes(&nodes, "a.test", "one").await;
    pair.fail_over().await.unwrap();
    set(pair.primary().await.unwrap(), "a.test", two.address()).await;
    becomes(&nodes, "a.test", "two").await;
    let old = pair.kill_primary().await.unwrap();
    assert_eq!(ask(nodes.node(0), "a.test").await, "two", "it is known");
    pair.moved_from(old).await.unwrap();
    set(pair.primary().await.unwrap(), "a.test", one.address()).await;
    becomes(&nodes, "a.test", "one").await;
}

#[tokio::test]
async fn in_a_cluster_routes_are_followed_wherever_they_lie() {
    let cluster = RedisCluster::start().await.unwrap();
    let (one, two) = (origin("one").await, origin("two").await);
    let seeds: Vec<_> = cluster.addresses().iter().map(ToString::to_string).collect();
    let nodes = nodes(1, &format!("redis+cluster://{}", seeds.join(",")), NEVER).await;
    let hosts: Vec<String> = (0..12).map(|number| format!("h{number}.test")).collect();
    for (to, name) in [(&one, "one"), (&two, "two")] {
        for host in &hosts {
            let set = ["SET".to_owned(), host.clone(), to.address().to_string()];
            cluster.command(&set).await.unwrap().ok().unwrap();
            becomes(&nodes, host, name).await;
        }
    }
    for host in &hosts {
        cluster.command(&["DEL", host]).await.unwrap();
        becomes(&nodes, host, NOTHING).await;
    }
}

#[tokio::test]
async fn p4_7_when_redis_is_dead_known_routes_go_on_across_a_restart_too() {
    let mut site = Site::new().await;
    let more = format!("{NEVER}table = \"{{folder}}/table\"\ntimeout = \"200ms\"\n");
    let mut nodes = site.nodes(2, &more).await;
    site.set("a.test", &site.one).await;
    site.set("*.wild.test", &site.two).await;
    becomes(&nodes, "a.test", "one").await;
    becomes(&nodes, "b.wild.test", "two").await;
    // The table is written behind; a node that is asked to stop writes it before.
    nodes.node_mut(0).terminate().await.unwrap();
    nodes.node_mut(0).restart().await.unwrap();
    becomes(&nodes, "a.test", "one").await;
    becomes(&nodes, "b.wild.test", "two").await;
    site.redis.kill().await.unwrap();
    for _ in 0..10 {
        for node in nodes.iter() {
            assert_eq!(ask(node, "a.test").await, "one");
            assert_eq!(ask(node, "b.wild.test").await, "two");
        }
    }
    for number in 0..2 {
        nodes.node_mut(number).terminate().await.unwrap();
        nodes.node_mut(number).restart().await.unwrap();
    }
    for node in nodes.iter() {
        assert_eq!(ask(node, "a.test").await, "one", "{}", node.output());
        assert_eq!(ask(node, "b.wild.test").await, "two");
    }
    site.redis.restart_empty().await.unwrap();
    site.set("a.test", &site.two).await;
    becomes(&nodes, "a.test", "two").await;
    becomes(&nodes, "b.wild.test", NOTHING).await;
}

#[tokio::test]
async fn p4_7_a_node_that_is_killed_comes_back_with_its_table() {
    let mut site = Site::new().await;
    let more = format!("{NEVER}table = \"{{folder}}/table\"\ntimeout = \"200ms\"\n");
    let mut nodes = site.nodes(1, &more).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    let table = nodes.node(0).folder().join("table");
    let written = async || {
        std::fs::read(&table).is_ok_and(|table| table.windows(6).any(|part| part == b"a.test"))
    };
    forebay_trial::patience::until("the table is written", PATIENCE, written).await.unwrap();
    site.redis.kill().await.unwrap();
    nodes.node_mut(0).kill().await.unwrap();
    nodes.node_mut(0).restart().await.unwrap();
    assert_eq!(ask(nodes.node(0), "a.test").await, "one");
}

#[tokio::test]
async fn p4_7_a_damaged_table_on_disk_is_left_aside() {
    let site = Site::new().await;
    let more = format!("{NEVER}table = \"{{folder}}/table\"\n");
    let mut nodes = site.nodes(1, &more).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    nodes.node_mut(0).terminate().await.unwrap();
    let table = nodes.node(0).folder().join("table");
    let whole = std::fs::read(&table).expect("it was written");
    let (mut flipped, half) = (whole.clone(), whole[..whole.len() / 2].to_vec());
    flipped[whole.len() / 2] ^= 0x40;
    for damaged in [flipped, half, Vec::new(), b"something else".to_vec()] {
        std::fs::write(&table, damaged).unwrap();
        nodes.node_mut(0).restart().await.unwrap();
        becomes(&nodes, "a.test", "one").await;
        nodes.node_mut(0).terminate().await.unwrap();
    }
}

#[tokio::test]
async fn a_node_starts_without_redis_and_has_routes_when_it_comes() {
    let mut site = Site::new().await;
    site.redis.kill().await.unwrap();
    let nodes = nodes(1, &site.redis.url(), "timeout = \"100ms\"\n").await;
    let began = std::time::Instant::now();
    let status = ask(nodes.node(0), "a.test").await;
    println!("a host of which nothing can be known: {status} after {:?}", began.elapsed());
    assert_eq!(status, "503", "whether it has a route is not known");
    site.redis.restart().await.unwrap();
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
}

#[tokio::test]
async fn a_redis_that_is_slow_costs_known_hosts_nothing() {
    let site = Site::new().await;
    let mut proxy = FaultProxy::start(site.redis.address()).await.unwrap();
    let nodes = nodes(1, &redis_at(proxy.address()), NEVER).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    let before = reads(&site.redis).await;
    let late = Duration::from_millis(200);
    proxy.set(Mood::Latency { there: late, back: late }).await.unwrap();
    for _ in 0..50 {
        assert_eq!(ask(nodes.node(0), "a.test").await, "one");
    }
    assert_eq!(reads(&site.redis).await, before, "nobody waited for Redis");
}
