//! How long things take: a node that starts with a log as long as it gets, and a purge until all
//! have applied it. They print, and judge no time.

use forebay_cache::mechanism::{Log, Rule, Standing};

use crate::servers::RedisServer;
use crate::stage::{Node, hard, link_options, log_options, nodes, single, timed};

#[tokio::test]
async fn a_node_reads_a_hundred_thousand_purges_when_it_starts() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let writer = Node::start(&server, "writer").await;
    let write = async {
        for round in 0..100 {
            let rules: Vec<Rule> = (0..1_000).map(|it| hard(&format!("{round}/{it}"))).collect();
            writer.log.append(rules).await.unwrap();
        }
    };
    let ((), wrote) = timed(write).await;
    let late = Node::with(link_options(&server), log_options("late"));
    let ((), read) = timed(late.sure()).await;
    assert_eq!(late.position(), writer.position());
    assert_eq!(late.log.purges().snapshot(tokio::time::Instant::now()).rules, 100_000);
    println!("100 000 purges: written in {wrote:?}, read by a node that starts in {read:?}");
}

#[tokio::test]
async fn a_purge_reaches_five_nodes() {
    const PURGES: usize = 200;
    let redis = RedisServer::on_socket(&[]);
    let nodes = nodes(&single(&redis), 5).await;
    let mut spans = Vec::new();
    for number in 0..PURGES {
        let node = &nodes[number % nodes.len()];
        let purge = async { node.applied(node.purge(&number.to_string()).await.last).await };
        let (standings, took) = timed(purge).await;
        assert!(standings.iter().all(|(_, it)| *it == Standing::Applied), "{standings:?}");
        spans.push(took);
    }
    spans.sort_unstable();
    let (middle, late) = (spans[PURGES / 2], spans[PURGES * 99 / 100]);
    println!("a purge until five nodes have it: p50 {middle:?}, p99 {late:?}");
}
