use std::net::{IpAddr, Ipv4Addr};

use tokio::net::TcpListener;

use super::super::dns::Resolving;
use super::*;

/// Has two addresses, of which nobody listens on the first.
struct Two;

impl Resolve for Two {
    fn resolve(&self, _host: &str) -> Resolving {
        let ips = [[127, 0, 0, 9], [127, 0, 0, 1]].map(|ip| IpAddr::from(Ipv4Addr::from(ip)));
        Box::pin(async move { Ok(ips.to_vec()) })
    }
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let network = Network::resolving_with(Arc::new(Two), Duration::from_secs(10));
    let member = MemberAddress::Tcp { host: "origin.example".into(), port };
    for _ in 0..2 {
        network.connect(&member).await.unwrap();
        listener.accept().await.unwrap();
    }
}

#[tokio::test]
async fn the_last_failure_is_told_when_every_address_refuses() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let network = Network::resolving_with(Arc::new(Two), Duration::from_secs(10));
    let member = MemberAddress::Tcp { host: "origin.example".into(), port };
    let error = network.connect(&member).await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

/// Has two addresses.
struct Both;

impl Resolve for Both {
    fn resolve(&self, _host: &str) -> Resolving {
        let ips = [[127, 0, 0, 2], [127, 0, 0, 1]].map(|ip| IpAddr::from(Ipv4Addr::from(ip)));
        Box::pin(async move { Ok(ips.to_vec()) })
    }
}

#[tokio::test]
async fn connections_go_to_each_address_in_turn() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let network = Network::resolving_with(Arc::new(Both), Duration::from_secs(10));
    let member = MemberAddress::Tcp { host: "origin.example".into(), port };
    let mut reached = Vec::new();
    for _ in 0..4 {
        let (_ours, theirs) = tokio::join!(network.connect(&member), listener.accept());
        reached.push(theirs.unwrap().0.local_addr().unwrap().ip().to_string());
    }
    assert_eq!(reached, ["127.0.0.2", "127.0.0.1", "127.0.0.2", "127.0.0.1"]);
}

#[tokio::test]
async fn upstreams_that_resolve_as_often_share_a_network_while_one_is_there() {
    let networks = Networks::default();
    let ten = networks.network(Duration::from_secs(10));
    assert!(Arc::ptr_eq(&ten, &networks.network(Duration::from_secs(10))));
    assert!(!Arc::ptr_eq(&ten, &networks.network(Duration::from_secs(11))));
    drop(ten);
    networks.network(Duration::from_secs(12));
    assert_eq!(networks.0.lock().len(), 1);
}
