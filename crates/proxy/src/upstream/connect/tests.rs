use std::net::{IpAddr, Ipv4Addr};

use tokio::net::TcpListener;

use super::super::destination::{Own, Refused, RefusedWhy};
use super::super::dns::Resolving;
use super::*;

/// Every name has these addresses.
struct Fixed(Vec<IpAddr>);

impl Resolve for Fixed {
    fn resolve(&self, _host: &str) -> Resolving {
        let ips = self.0.clone();
        Box::pin(async move { Ok(ips) })
    }
}

fn network(ips: &[[u8; 4]], destinations: Destinations) -> Network {
    let ips = ips.iter().map(|ip| IpAddr::from(Ipv4Addr::from(*ip))).collect();
    let (resolver, interval) = (Arc::new(Fixed(ips)), Duration::from_secs(10));
    Network::resolving_with(resolver, interval, Arc::new(destinations))
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let network = network(&[[127, 0, 0, 9], [127, 0, 0, 1]], Destinations::default());
    let member = MemberAddress::Tcp { host: "origin.example".into(), port };
    for _ in 0..2 {
        network.connect(&member).await.unwrap();
        listener.accept().await.unwrap();
    }
}

#[tokio::test]
async fn the_last_failure_is_told_when_every_address_refuses() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let network = network(&[[127, 0, 0, 9], [127, 0, 0, 1]], Destinations::default());
    let member = MemberAddress::Tcp { host: "origin.example".into(), port };
    let error = network.connect(&member).await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

/// A gateway whose admin listener is there.
fn listening(admin: SocketAddr) -> Destinations {
    Destinations::new(Default::default(), Own { admin: Some(admin), ..Own::default() })
}

#[tokio::test]
async fn a_name_that_leads_to_ourselves_is_connected_to_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = listener.local_addr().unwrap();
    let network = network(&[[127, 0, 0, 1]], listening(admin));
    let member = MemberAddress::Tcp { host: "admin.example".into(), port: admin.port() };
    for _ in 0..2 {
        let error = network.connect(&member).await.err().unwrap();
        let refused = error.get_ref().and_then(|error| error.downcast_ref::<Refused>()).unwrap();
        assert_eq!(refused.why, RefusedWhy::OwnAdmin);
    }
}

#[tokio::test]
async fn of_a_name_that_leads_to_several_the_refused_ones_are_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let network =
        network(&[[169, 254, 169, 254], [127, 0, 0, 1], [0, 0, 0, 0]], Destinations::default());
    let member = MemberAddress::Tcp { host: "origin.example".into(), port: address.port() };
    for _ in 0..3 {
        network.connect(&member).await.unwrap();
    }
    let refused = network.destinations.refused();
    let count = |word| refused.iter().find(|(why, _)| *why == word).unwrap().1;
    assert_eq!((count("metadata"), count("unspecified"), count("own-admin")), (3, 3, 0));
}

#[tokio::test]
async fn connections_go_to_each_address_in_turn() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let network = network(&[[127, 0, 0, 2], [127, 0, 0, 1]], Destinations::default());
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
    let networks = Networks::new(Arc::default());
    let ten = networks.network(Duration::from_secs(10));
    assert!(Arc::ptr_eq(&ten, &networks.network(Duration::from_secs(10))));
    assert!(!Arc::ptr_eq(&ten, &networks.network(Duration::from_secs(11))));
    drop(ten);
    networks.network(Duration::from_secs(12));
    assert_eq!(networks.known.lock().len(), 1);
}
