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
