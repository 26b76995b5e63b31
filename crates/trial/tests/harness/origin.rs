//! The origin that counts: is it as slow as it is told, does it fail and recover?

use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::counting::{CountingOrigin, Failing, Pace};
use forebay_trial::nodes::request;
use forebay_trial::wire::Message;
use tokio::time::Instant;

use crate::{MOMENT, PATIENCE};

async fn origin() -> CountingOrigin {
    CountingOrigin::saying(&["Cache-Control: max-age=60"], b"0123456789").await.expect("it starts")
}

async fn client(origin: &CountingOrigin) -> Client {
    Client::connect(origin.address()).await.expect("it accepts")
}

async fn get(origin: &CountingOrigin, path: &str) -> Message {
    client(origin).await.ask(&request("GET", path, &[]), PATIENCE).await.expect("an answer")
}

#[tokio::test]
async fn it_counts_each_target_by_itself() {
    let origin = origin().await;
    for path in ["/a", "/b", "/a"] {
        assert_eq!(get(&origin, path).await.body, b"0123456789");
    }
    assert_eq!((origin.count(), origin.count_of("/a"), origin.count_of("/c")), (3, 2, 0));
    assert_eq!(origin.counts().len(), 2);
    assert_eq!(origin.heard()[1].target(), "/b");
    origin.forget();
    assert_eq!((origin.count(), origin.counts().len(), origin.heard().len()), (0, 0, 0));
}

#[tokio::test]
async fn it_is_late_with_its_head_its_body_and_half_of_its_body() {
    let origin = origin().await;
    let late = Duration::from_millis(150);
    let quick = Pace::default();
    origin.pace(Pace { before_head: late, ..quick });
    origin.pace_of("/body", Pace { before_body: late, ..quick });
    origin.pace_of("/half", Pace { within_body: late, ..quick });
    // When the head, the first byte and the last of a body are there.
    let check = async |path: &str, expected: [Duration; 3]| {
        let mut client = client(&origin).await;
        let begun = Instant::now();
        client.send(request("GET", path, &[]).as_bytes(), PATIENCE).await;
        client.begin(PATIENCE).await.unwrap();
        let head = begun.elapsed();
        let some = client.some(1, PATIENCE).await.unwrap();
        let first = begun.elapsed();
        let rest = client.rest(PATIENCE).await.unwrap();
        assert_eq!([some, rest.body].concat(), b"0123456789");
        let seen = [head, first, begun.elapsed()];
        let fits = |(seen, expected): (&Duration, &Duration)| {
            seen >= expected && (!expected.is_zero() || *seen < late)
        };
        assert!(seen.iter().zip(&expected).all(fits), "{path}: {seen:?}");
    };
    check("/head", [late, late, late]).await;
    check("/body", [Duration::ZERO, late, late]).await;
    check("/half", [Duration::ZERO, Duration::ZERO, late]).await;
}

#[tokio::test]
async fn it_fails_by_a_status_and_recovers() {
    let mut origin = origin().await;
    origin.fail(Failing::Status(503)).await.unwrap();
    assert_eq!(get(&origin, "/a").await.head.status().unwrap(), 503);
    origin.recover().await.unwrap();
    assert_eq!(get(&origin, "/a").await.head.status().unwrap(), 200);
    assert_eq!(origin.count_of("/a"), 2);
}

#[tokio::test]
async fn it_fails_by_being_gone_and_recovers_at_the_same_address() {
    let mut origin = origin().await;
    let mut idle = client(&origin).await;
    idle.ask(&request("GET", "/a", &[]), PATIENCE).await.unwrap();
    origin.fail(Failing::Refuse).await.unwrap();
    idle.closed(PATIENCE).await.unwrap();
    assert!(Client::connect(origin.address()).await.is_err());
    origin.recover().await.unwrap();
    assert_eq!(get(&origin, "/a").await.body, b"0123456789");
}

#[tokio::test]
async fn it_fails_by_hearing_alone_and_answers_when_it_recovers() {
    let mut origin = origin().await;
    origin.fail(Failing::Stall).await.unwrap();
    let mut client = client(&origin).await;
    client.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    client.nothing(MOMENT).await.unwrap();
    assert_eq!(origin.count(), 1);
    origin.recover().await.unwrap();
    assert_eq!(client.response(PATIENCE).await.unwrap().body, b"0123456789");
}
