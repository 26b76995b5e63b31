//! One client that opens connection after connection: it has as many as one may have, and the others
//! are served.

use std::net::Ipv4Addr;

use forebay_trial::patience::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage, mirror};

const FOUR: (&str, &str) = ("limits", "connections_per_address_max = 4");
const REQUEST: &[u8] = b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n";
const CROWDED: &str = "forebay_requests_refused_total{reason=\"crowded\"}";

/// A connection from an address of this machine.
async fn connect_from(stage: &Stage, address: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(stage.gateway.address).await.unwrap()
}

/// Whether a connection is served: it has an answer for these bytes, or is closed without one.
async fn is_served(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    if stream.write_all(bytes).await.is_err() {
        return false;
    }
    let mut first = [0; 12];
    let read = timeout(PATIENCE, stream.read_exact(&mut first)).await.expect("it ends");
    read.is_ok_and(|_| &first == b"HTTP/1.1 200")
}

#[tokio::test]
async fn who_has_as_many_connections_as_one_may_have_gets_no_other() {
    let stage = Stage::with(&[FOUR], mirror).await;
    let (one, other) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = connect_from(&stage, one).await;
        assert!(is_served(&mut stream, REQUEST).await);
        open.push(stream);
    }
    for count in 1..=3 {
        let mut refused = connect_from(&stage, one).await;
        assert!(!is_served(&mut refused, REQUEST).await, "{}", stage.last_words());
        assert_eq!(stage.metric(CROWDED).await, count);
    }
    assert!(is_served(&mut connect_from(&stage, other).await, REQUEST).await);
    let words = "its address has as many connections as one may have";
    let logged = async || stage.gateway.process.output().contains(words);
    until("the log says it", PATIENCE, logged).await.unwrap();
    drop(open.pop());
    let room = async || is_served(&mut connect_from(&stage, one).await, REQUEST).await;
    until("the place is given back", PATIENCE, room).await.unwrap();
    // Whoever was served before is served on.
    open[0].write_all(REQUEST).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_connections_of_one_client_leaves_room_for_others() {
    let lines = [FOUR, ("limits", "connections_max = 16")];
    let stage = Stage::with(&lines, mirror).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(connect_from(&stage, Ipv4Addr::new(127, 0, 0, 2)).await);
    }
    assert!(is_served(&mut connect_from(&stage, Ipv4Addr::new(127, 0, 0, 3)).await, REQUEST).await);
    let counted = async || stage.metric(CROWDED).await == 196;
    until("all others are refused", PATIENCE, counted).await.unwrap();
}

#[tokio::test]
async fn who_passes_on_the_requests_of_others_is_not_counted() {
    let lines = [FOUR, ("gateway", "trusted_peers = [\"127.0.0.2\"]")];
    let stage = Stage::with(&lines, mirror).await;
    let mut open = Vec::new();
    for _ in 0..12 {
        let mut stream = connect_from(&stage, Ipv4Addr::new(127, 0, 0, 2)).await;
        assert!(is_served(&mut stream, REQUEST).await);
        open.push(stream);
    }
}

#[tokio::test]
async fn a_client_that_a_peer_speaks_for_is_counted_by_its_own_address() {
    let lines = [FOUR, ("proxy_protocol", "peers = [\"127.0.0.2\"]")];
    let stage = Stage::with(&lines, mirror).await;
    let mut open = Vec::new();
    let mut led = async |header: &str| {
        let mut stream = connect_from(&stage, Ipv4Addr::new(127, 0, 0, 2)).await;
        let served = is_served(&mut stream, &[header.as_bytes(), REQUEST].concat()).await;
        open.push(stream);
        served
    };
    for client in ["192.0.2.7", "192.0.2.8"] {
        let header = format!("PROXY TCP4 {client} 192.0.2.2 5000 80\r\n");
        for _ in 0..4 {
            assert!(led(&header).await, "{client}");
        }
        assert!(!led(&header).await, "{client}");
    }
    let household = |number: u32| format!("PROXY TCP6 2001:db8::{number} 2001:db8::ff 5000 80\r\n");
    for number in 1..=4 {
        assert!(led(&household(number)).await);
    }
    assert!(!led(&household(5)).await, "of the same 64 bits");
    for _ in 0..6 {
        assert!(led("PROXY UNKNOWN\r\n").await, "who speaks for nobody is not counted");
    }
}
