//! Writing and following, while all is well or Redis is away.

use std::sync::Arc;

use forebay_cache::log::{APPENDED_MAX, FileOptions, Journal};
use forebay_cache::mechanism::{
    Kind, Log, LogFailure, Position, Rule, Scope, Standing, Trust, Verdict,
};
use forebay_cache::redis::{InDoubt, RedisLogOptions};

use crate::servers::{RedisServer, own_directory, until};
use crate::stage::{
    Node, PATIENCE, add_user, as_user, hard, let_in, link_options, lock_out, log_options, named,
    nodes, of, single,
};

#[tokio::test]
async fn what_one_node_purges_all_have_applied_when_it_returns() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 3).await;
    let (before, version) = (nodes[2].log.purges().epoch(), nodes[2].log.purges().version());
    for node in &nodes {
        assert_eq!(node.judge(before, "a"), Verdict::Alive);
    }
    let appended = nodes[0].purge("a").await;
    assert_eq!(appended.first, appended.last.number);
    let standings = nodes[0].applied(appended.last).await;
    let names: Vec<_> = standings.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["n0", "n1", "n2"]);
    for node in &nodes {
        assert_eq!(of(&node.name, &standings), Standing::Applied);
        assert_eq!(node.judge(before, "a"), Verdict::Gone { by: appended.first });
        assert_eq!(node.judge(before, "b"), Verdict::Alive);
        assert_eq!(node.judge(node.log.purges().epoch(), "a"), Verdict::Alive);
        assert_eq!((node.position(), node.trust()), (appended.last, Trust::Sure));
    }
    assert_ne!(nodes[2].log.purges().version(), version);
}

#[tokio::test]
async fn nodes_that_write_at_once_make_one_log_without_a_gap() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 3).await;
    let begin = nodes[0].position().number;
    let mut calls = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        for call in 0..40 {
            let (log, tag) = (Arc::clone(&node.log), format!("{number}/{call}"));
            calls.push(tokio::spawn(async move {
                log.append(vec![hard(&tag), hard(&format!("{tag}/2"))]).await.unwrap()
            }));
        }
    }
    let (mut firsts, mut last) = (Vec::new(), nodes[0].position());
    for call in calls {
        let appended = call.await.unwrap();
        last = if appended.last.number > last.number { appended.last } else { last };
        assert_eq!(appended.last.number, appended.first + 1);
        firsts.push(appended.first);
    }
    firsts.sort_unstable();
    let expected: Vec<u64> = (0..120).map(|call| begin + 1 + 2 * call).collect();
    assert_eq!(firsts, expected);
    for node in &nodes {
        node.reaches(last).await;
        assert_eq!(node.log.purges().snapshot(tokio::time::Instant::now()).rules, 241);
        // It met the log when it started, and never since.
        assert_eq!(node.log.purges().snapshot(tokio::time::Instant::now()).raised, 1);
    }
}

#[tokio::test]
async fn a_thousand_purges_are_one_call_and_more_are_refused() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    let before = nodes[1].log.purges().epoch();
    let rules: Vec<Rule> = (0..APPENDED_MAX).map(|number| hard(&number.to_string())).collect();
    let appended = nodes[0].log.append(rules.clone()).await.unwrap();
    assert_eq!(appended.last.number - appended.first, APPENDED_MAX as u64 - 1);
    assert_eq!(of("n1", &nodes[0].applied(appended.last).await), Standing::Applied);
    for number in [0, 500, APPENDED_MAX - 1] {
        let by = appended.first + number as u64;
        assert_eq!(nodes[1].judge(before, &number.to_string()), Verdict::Gone { by });
    }
    let more = [&rules[..], &[hard("more")]].concat();
    for rules in [more, Vec::new()] {
        let refused = nodes[0].log.append(rules).await;
        assert!(matches!(refused, Err(LogFailure::Refused(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn the_longest_purges_go_through_in_pages() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    let before = nodes[1].log.purges().epoch();
    let long = |number: u8| {
        let bytes = [&[b'/', number][..], &vec![b'x'; 16 * 1024 - 2]].concat();
        let prefix =
            forebay_cache::mechanism::Prefix::new(crate::stage::group("host"), &bytes).unwrap();
        Rule { scope: Scope::Prefix(prefix), kind: Kind::Soft }
    };
    let rules: Vec<Rule> = (0..200).map(long).chain([hard("last")]).collect();
    let appended = nodes[0].log.append(rules).await.unwrap();
    assert_eq!(of("n1", &nodes[0].applied(appended.last).await), Standing::Applied);
    assert_eq!(nodes[1].judge(before, "last"), Verdict::Gone { by: appended.last.number });
}

#[tokio::test]
async fn a_node_that_starts_reads_all_that_is_kept() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let nodes = nodes(&server, 1).await;
    let before = nodes[0].log.purges().epoch();
    let appended = nodes[0].purge("a").await;
    let late = Node::start(&server, "late").await;
    assert_eq!(late.position(), appended.last);
    assert_eq!(late.judge(before, "a"), Verdict::Gone { by: appended.first });
}

#[tokio::test]
async fn a_node_that_is_cut_off_is_in_doubt_by_the_bound_and_catches_up() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let nodes = nodes(&server, 2).await;
    add_user(&redis, "cut");
    let cut = Node::with(as_user(&server, "cut"), log_options("cut"));
    cut.sure().await;
    let before = cut.log.purges().epoch();
    lock_out(&redis, "cut");
    let appended = nodes[0].purge("a").await;
    let standings = nodes[0].applied(appended.last).await;
    assert_eq!(of("n1", &standings), Standing::Applied);
    let Standing::Unheard { since } = of("cut", &standings) else { panic!("{standings:?}") };
    assert!(since > crate::stage::BOUND);
    // The promise: who was named as unheard is in doubt by then.
    assert_eq!(cut.trust(), Trust::Doubt);
    assert_eq!(cut.judge(before, "a"), Verdict::Alive);
    let refused = cut.log.append(vec![hard("b")]).await;
    assert!(matches!(refused, Err(LogFailure::Refused(_))), "{refused:?}");
    assert!(cut.log.snapshot().last_failure.is_some());
    let_in(&redis, "cut");
    cut.sure().await;
    assert_eq!(cut.judge(before, "a"), Verdict::Gone { by: appended.first });
    assert_eq!(of("cut", &nodes[0].applied(appended.last).await), Standing::Applied);
}

#[tokio::test]
async fn without_redis_a_purge_is_refused_and_all_are_in_doubt() {
    let mut redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 2).await;
    let place = nodes[0].position();
    redis.kill();
    for node in &nodes {
        node.in_doubt().await;
        let refused = node.log.append(vec![hard("a")]).await;
        assert!(matches!(refused, Err(LogFailure::Refused(_))), "{refused:?}");
    }
    // Nobody can know who else there is.
    let standings = nodes[0].log.applied(place, crate::stage::BOUND).await;
    assert_eq!(named(standings), [("n0".to_owned(), Standing::Behind { at: place.number })]);
}

#[tokio::test]
async fn a_stalled_redis_puts_in_doubt_too() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 1).await;
    redis.stall();
    nodes[0].in_doubt().await;
    let refused = nodes[0].log.append(vec![hard("a")]).await;
    assert!(refused.is_err(), "{refused:?}");
    redis.go_on();
    nodes[0].sure().await;
    nodes[0].purge("b").await;
}

#[tokio::test]
async fn a_primary_without_its_replicas_refuses_purges_and_nodes_are_in_doubt() {
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 1).await;
    redis.ask(&[b"CONFIG", b"SET", b"min-replicas-to-write", b"1"]);
    let refused = nodes[0].log.append(vec![hard("a")]).await;
    let Err(LogFailure::Refused(why)) = &refused else { panic!("{refused:?}") };
    assert!(why.contains("replicas"), "{why}");
    nodes[0].in_doubt().await;
    redis.ask(&[b"CONFIG", b"SET", b"min-replicas-to-write", b"0"]);
    nodes[0].sure().await;
}

#[tokio::test]
async fn a_purge_waits_for_as_many_replicas_as_it_was_told() {
    let redis = RedisServer::on_port(&[]);
    let server = single(&redis);
    let options = RedisLogOptions { replicas: 1, ..log_options("n") };
    let node = Node::with(link_options(&server), options);
    node.sure().await;
    let unsure = node.log.append(vec![hard("a")]).await;
    let Err(LogFailure::Unsure(why)) = &unsure else { panic!("{unsure:?}") };
    assert!(why.contains("0 of 1 replicas"), "{why}");
    let port = redis.port.to_string();
    let replica = RedisServer::on_socket(&["--replicaof", "127.0.0.1", &port]);
    let up = || String::from_utf8(replica.ask(&[b"INFO", b"replication"])).unwrap();
    crate::servers::until("in step", async || up().contains("master_link_status:up")).await;
    // The link is up a moment before what was written is acknowledged.
    let purged = async || node.log.append(vec![hard("b")]).await.is_ok();
    crate::servers::until("acknowledged", purged).await;
}

#[tokio::test]
async fn a_node_that_does_not_keep_to_the_bound_says_so_on_the_roll() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let options = RedisLogOptions { in_doubt: InDoubt::Serves, ..log_options("trusting") };
    let node = Node::with(link_options(&server), options);
    node.sure().await;
    let listed = node.log.roll().nodes().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), listed[0].bound), ("trusting", None));
    assert_eq!((listed[0].id, listed[0].address.as_ref()), (node.log.node_id(), None));
    assert!(listed[0].heard_ago < PATIENCE);
}

#[tokio::test]
async fn what_was_read_is_known_at_the_next_start_even_without_redis() {
    let mut redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let directory = own_directory();
    // What is still on its way to the file when a node ends holds it a moment longer.
    let open = async || {
        let mut opened = None;
        until("nobody holds the journal", async || {
            opened = Journal::open(FileOptions::new(&directory)).ok();
            opened.is_some()
        })
        .await;
        opened.unwrap()
    };
    let options = |journal| RedisLogOptions { journal: Some(journal), ..log_options("kept") };
    let writer = &nodes(&server, 1).await[0];
    let (journal, rules) = open().await;
    assert_eq!(rules.position(), Position::default());
    let kept = Node::knowing(rules, link_options(&server), options(journal));
    kept.sure().await;
    let before = kept.log.purges().epoch();
    let appended = writer.purge("a").await;
    assert_eq!(of("kept", &writer.applied(appended.last).await), Standing::Applied);
    assert!(kept.log.snapshot().file_bytes > 0);
    kept.end().await;
    redis.kill();

    let (journal, rules) = open().await;
    assert_eq!(rules.position(), appended.last);
    let kept = Node::knowing(rules, link_options(&server), options(journal));
    assert_eq!(kept.judge(before, "a"), Verdict::Gone { by: appended.first });
    assert_eq!(kept.judge(before, "b"), Verdict::Alive);
    assert_eq!(kept.trust(), Trust::Doubt);
    // What it knew of a log that is lost is no more than that.
    redis.start_again();
    kept.sure().await;
    assert_eq!(kept.judge(before, "b"), Verdict::Unproven);
    assert!(kept.position().lineage != before.lineage());
    writer.sure().await;
    let next = writer.purge("c").await;
    assert_eq!(of("kept", &writer.applied(next.last).await), Standing::Applied);
    kept.end().await;
    assert_eq!(open().await.1.position(), next.last);
    std::fs::remove_dir_all(directory).unwrap();
}
