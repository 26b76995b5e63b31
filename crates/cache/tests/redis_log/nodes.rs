//! The roll: who is on it, who leaves it, and how a purge waits.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forebay_cache::mechanism::{Log, Position, Standing, Trust};

use crate::servers::RedisServer;
use crate::stage::{
    BOUND, Node, PATIENCE, key, link_options, log_options, named, nodes, of, single, timed,
};

#[tokio::test]
async fn a_node_that_is_killed_holds_a_purge_up_for_the_bound_at_most() {
    let redis = RedisServer::on_socket(&[]);
    let mut nodes = nodes(&single(&redis), 3).await;
    nodes[2].kill();
    let appended = nodes[0].purge("a").await;
    let (standings, took) = timed(nodes[0].applied(appended.last)).await;
    assert_eq!(of("n0", &standings), Standing::Applied);
    assert_eq!(of("n1", &standings), Standing::Applied);
    let Standing::Unheard { since } = of("n2", &standings) else { panic!("{standings:?}") };
    assert!(since > BOUND && took < PATIENCE, "{since:?} {took:?}");
    assert_eq!(nodes[2].trust(), Trust::Doubt);
    // From now on nobody waits for it.
    let next = nodes[1].purge("b").await;
    assert!(matches!(of("n2", &nodes[1].applied(next.last).await), Standing::Unheard { .. }));
}

#[tokio::test]
async fn a_node_that_says_goodbye_is_not_waited_for_and_is_in_doubt() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let nodes = nodes(&server, 1).await;
    let leaving = forebay_cache::redis::RedisLog::open(
        forebay_cache::redis::Link::open(link_options(&server)),
        forebay_cache::mechanism::Rules::new(forebay_cache::purge::Bounds::default()),
        forebay_cache::mechanism::Clock::system(),
        log_options("leaving"),
    );
    let purges = leaving.purges().clone();
    let sure = async || purges.trust(tokio::time::Instant::now()) == Trust::Sure;
    crate::servers::until("sure", sure).await;
    let names = async || {
        let listed = nodes[0].log.roll().nodes().await.unwrap();
        listed.into_iter().map(|node| node.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["leaving", "n0"]);
    leaving.close().await;
    assert_eq!(purges.trust(tokio::time::Instant::now()), Trust::Doubt);
    assert_eq!(names().await, ["n0"]);
    let appended = nodes[0].purge("a").await;
    assert_eq!(nodes[0].applied(appended.last).await.len(), 1);
}

#[tokio::test]
async fn a_log_that_is_dropped_says_goodbye_too() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let nodes = nodes(&server, 1).await;
    let other = Node::start(&server, "dropped").await;
    // The runtime outlives the log.
    let runtime = other.end_log();
    crate::servers::until("off the roll", async || {
        nodes[0].log.roll().nodes().await.unwrap().len() == 1
    })
    .await;
    runtime.shutdown_background();
}

#[tokio::test]
async fn on_a_young_roll_nodes_may_be_missing_so_a_purge_waits() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    redis.ask(&[b"DEL", &key("nodes")]);
    let appended = nodes[0].purge("a").await;
    let standings = nodes[0].applied(appended.last).await;
    assert_eq!(standings.len(), 2, "{standings:?}");
    let age: u64 = bulk(&redis.ask(&[b"HGET", &key("nodes"), b"born"])).parse().unwrap();
    assert!(u128::from(millis_now() - age) >= BOUND.as_millis());
    // Who does not wait so long is not told that all have it.
    redis.ask(&[b"DEL", &key("nodes")]);
    let standings = named(nodes[0].log.applied(appended.last, BOUND / 4).await);
    assert!(matches!(of("n0", &standings), Standing::Behind { .. }), "{standings:?}");
}

#[tokio::test]
async fn a_full_roll_takes_no_node_but_in_place_of_one_long_unheard() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let heard = |id: u64, ago: u64| {
        let line =
            format!("{} {:016x} 1 {:016x} 600 1 - x", millis_now().saturating_sub(ago), 7, 7);
        redis.ask(&[b"HSET", &key("nodes"), format!("{id:016x}").as_bytes(), line.as_bytes()]);
    };
    (0..1_024).for_each(|id| heard(id, 1_000));
    let node = Node::with(link_options(&server), log_options("n"));
    node.until("refused", |node| node.log.numbers().beats_failed > 3).await;
    assert_eq!(node.trust(), Trust::Doubt);
    assert!(node.log.snapshot().last_failure.unwrap().contains("full"));
    heard(17, 40_000);
    node.sure().await;
    let listed = node.log.roll().nodes().await.unwrap();
    assert!(listed.iter().all(|it| it.id != 17) && listed.len() == 1_024);
    // Those of long ago are forgotten.
    (0..1_024).filter(|id| *id != 17).for_each(|id| heard(id, 700_000));
    assert_eq!(node.log.roll().nodes().await.unwrap().len(), 1);
    let other = Node::start(&server, "other").await;
    assert_eq!(bulk_number(&redis.ask(&[b"HLEN", &key("nodes")])), 3);
    assert_eq!(other.log.roll().nodes().await.unwrap().len(), 2);
}

#[tokio::test]
async fn all_that_is_kept_ends_by_itself() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    nodes[0].purge("a").await;
    for kind in ["log", "summary", "nodes", "waiting"] {
        let left = bulk_number(&redis.ask(&[b"PTTL", &key(kind)]));
        assert!(left > 0, "{kind}: {left}");
    }
}

#[tokio::test]
async fn who_waits_no_longer_than_he_said_is_told_who_is_behind() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 1).await;
    let number = nodes[0].position().number;
    // A node that is heard, and does not move.
    let line = format!("{} {:016x} 1 {:016x} 600000 1 - slow", millis_now(), 7, 7);
    redis.ask(&[b"HSET", &key("nodes"), b"0000000000000007", line.as_bytes()]);
    let standings = named(nodes[0].log.applied(nodes[0].position(), BOUND / 2).await);
    assert_eq!(of("slow", &standings), Standing::Behind { at: 1 });
    assert_eq!(of("n0", &standings), Standing::Applied);
    let far = Position { number: number + 5, ..nodes[0].position() };
    let standings = named(nodes[0].log.applied(far, BOUND / 2).await);
    assert_eq!(of("n0", &standings), Standing::Behind { at: number });
}

#[tokio::test]
async fn a_node_on_a_history_that_the_log_has_lost_is_behind_whatever_its_number() {
    let redis = RedisServer::on_socket(&[]);
    let node = Node::start(&single(&redis), "here").await;
    let first = node.purge("first").await.last;
    let second = node.purge("second").await.last;
    let behind = Standing::Behind { at: 0 };
    for (number, token, standing) in [
        (1, first.token, Standing::Applied),
        (2, second.token, Standing::Applied),
        (1, first.token ^ 1, behind),
        (2, second.token ^ 1, behind),
        (3, second.token, behind),
    ] {
        let (now, lineage) = (millis_now(), first.lineage);
        let line = format!("{now} {lineage:016x} {number} {token:016x} 60000 0 - other");
        redis.ask(&[b"HSET", &key("nodes"), b"00000000000000aa", line.as_bytes()]);
        let standings = named(node.log.applied(first, Duration::from_secs(1)).await);
        assert_eq!(of("other", &standings), standing, "{number}");
    }
}

fn millis_now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn bulk(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).lines().nth(1).unwrap().to_owned()
}

fn bulk_number(answer: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(answer);
    text.trim_start_matches(':').trim().parse().unwrap()
}
