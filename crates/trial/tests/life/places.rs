//! Listeners that come and go with a reload: new ones first, and what is there is not cut.

use std::net::SocketAddr;

use forebay_trial::client::Client;
use forebay_trial::counting::Pace;
use forebay_trial::patience::until;
use forebay_trial::real::free_address;
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::support::*;

/// A file's lines beside its listeners.
fn rest(origin: &forebay_trial::counting::CountingOrigin) -> String {
    format!("admin_token = \"{TOKEN}\"\n{}", route(origin))
}

/// The body of the answer to a GET at this address.
async fn body(address: SocketAddr, path: &str) -> Vec<u8> {
    let mut client = Client::connect(address).await.unwrap();
    client.ask(&request(path), PATIENCE).await.unwrap().body
}

#[tokio::test]
async fn clients_are_accepted_at_new_places_and_no_more_at_old_ones() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let (before, next) = (life.address, free_address().unwrap());
    let (at, to) = (before.to_string(), next.to_string());
    let mut open = Client::connect(before).await.unwrap();
    open.ask(&request("/pass"), PATIENCE).await.unwrap();
    let unix = format!("unix:{}/clients.sock", life.folder.path().display());
    life.write_at(&[&at, &to, &unix], &rest(&one));
    let said = life.reload().await;
    let opened = format!("clients are accepted at {to}\nclients are accepted at {unix}\n");
    assert_eq!(said, format!("reloaded: 1 route in the file\n{opened}"));
    assert_eq!(body(before, "/pass").await, b"one");
    assert_eq!(body(next, "/pass").await, b"one");
    let path = life.folder.path().join("clients.sock");
    let mut near = Client::over(Box::new(UnixStream::connect(&path).await.unwrap()));
    assert_eq!(near.ask(&request("/pass"), PATIENCE).await.unwrap().body, b"one");
    life.write_at(&[&to], &rest(&one));
    let said = life.reload().await;
    assert!(said.contains(&format!("and no more at {at}\nand no more at {unix}\n")), "{said}");
    assert!(TcpStream::connect(before).await.is_err());
    assert!(!path.exists());
    for client in [&mut open, &mut near] {
        assert_eq!(client.ask(&request("/pass"), PATIENCE).await.unwrap().body, b"one");
    }
    assert_eq!(body(next, "/pass").await, b"one");
    let said = life.reload().await;
    assert_eq!(said, "reloaded: 1 route in the file\n", "nothing has moved");
}

#[tokio::test]
async fn a_place_that_cannot_be_bound_changes_nothing() {
    let (one, other) = (origin("one").await, origin("other").await);
    let life = Life::start(&route(&one)).await;
    let (next, taken) = (free_address().unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let taken = taken.local_addr().map(|at| (taken, at)).unwrap();
    life.write_at(&[&next.to_string(), &taken.1.to_string()], &rest(&other));
    let typed = life.type_in(&["reload"]).await;
    assert_eq!(typed.status, 1, "{typed:?}");
    let words = format!("cannot listen on {}: the address is in use", taken.1);
    assert!(typed.complained.contains(&words), "{typed:?}");
    assert!(TcpStream::connect(next).await.is_err(), "what was bound is closed again");
    assert_eq!(life.body("/pass").await, (200, "one".to_owned()));
}

#[tokio::test]
async fn who_waits_at_a_place_that_is_left_is_answered() {
    let one = origin("one").await;
    let narrow = "[limits]\nconnections_max = 1\n";
    let life = Life::start(&format!("{narrow}{}", route(&one))).await;
    let next = free_address().unwrap();
    let mut first = Client::connect(life.address).await.unwrap();
    first.ask(&request("/pass"), PATIENCE).await.unwrap();
    let mut waiting = Client::connect(life.address).await.unwrap();
    waiting.send(request("/pass").as_bytes(), PATIENCE).await;
    let lines = format!("admin_token = \"{TOKEN}\"\n{narrow}{}", route(&one));
    life.write_at(&[&next.to_string()], &lines);
    life.reload().await;
    assert!(TcpStream::connect(life.address).await.is_err());
    drop(first);
    assert_eq!(waiting.response(PATIENCE).await.unwrap().body, b"one");
}

#[tokio::test]
async fn what_runs_where_nobody_is_accepted_any_more_ends_as_it_began() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let next = free_address().unwrap();
    one.pace_of("/pass/slow", Pace { within_body: PATIENCE / 30, ..Pace::default() });
    let mut slow = Client::connect(life.address).await.unwrap();
    slow.send(request("/pass/slow").as_bytes(), PATIENCE).await;
    let asked = async || one.count_of("/pass/slow") == 1;
    until("the origin is asked", PATIENCE, asked).await.unwrap();
    life.write_at(&[&next.to_string()], &rest(&one));
    life.reload().await;
    assert_eq!(slow.response(PATIENCE).await.unwrap().body, b"one");
}

#[tokio::test]
async fn a_successor_gets_the_places_of_the_last_reload() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let next = free_address().unwrap();
    life.write_at(&[&next.to_string()], &rest(&one));
    life.reload().await;
    let load = Load::begin(next, 4, 20);
    life.upgrade().await;
    let counted = load.end().await;
    assert_eq!(counted.failures, Vec::<String>::new(), "{}", life.process.output());
    assert_eq!(body(next, "/pass").await, b"one");
    assert!(TcpStream::connect(life.address).await.is_err());
}

#[tokio::test]
async fn a_place_of_clients_is_none_that_requests_are_sent_to() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let next = free_address().unwrap();
    let own = format!("{}[[route]]\npath = \"/loop\"\nto = \"http://{next}\"\n", rest(&one));
    life.write_at(&[&life.address.to_string(), &next.to_string()], &own);
    life.reload().await;
    let answer = life.get("/loop").await;
    assert_eq!(answer.head.status(), Ok(502), "{}", answer.shown());
    let said = answer.head.field("cache-status").unwrap();
    assert!(said.contains("destination-refused"), "{said}");
}
