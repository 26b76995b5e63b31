//! A Redis Cluster: log and roll lie in one slot.

use forebay_cache::mechanism::Standing;
use forebay_cache::redis::{Address, Server};

use crate::servers::cluster_of_three;
use crate::stage::nodes;

#[tokio::test]
async fn in_a_cluster_all_nodes_follow_one_log() {
    let servers = cluster_of_three().await;
    let seeds = servers.iter().map(|it| Address::Tcp("127.0.0.1".to_owned(), it.port));
    let nodes = nodes(&Server::Cluster(seeds.collect()), 3).await;
    for (number, node) in nodes.iter().enumerate() {
        let appended = node.purge(&number.to_string()).await;
        let standings = node.applied(appended.last).await;
        assert_eq!(standings.len(), 3);
        assert!(standings.iter().all(|(_, it)| *it == Standing::Applied), "{standings:?}");
    }
}
