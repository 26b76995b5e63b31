//! A log as long as it gets: how long a node takes that starts. It prints, and judges no time.

use forebay_cache::{Log, Rule};

use crate::servers::RedisServer;
use crate::stage::{Node, hard, link_options, log_options, single, timed};

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
