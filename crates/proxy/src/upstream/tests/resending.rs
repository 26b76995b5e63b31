//! Which connections are used again, and what is sent a second time.

use super::*;
use Act::{Pause, Read, Stall, Write};

const OK: Act = Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
const CHUNKED: Act =
    Write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
const EMPTY: Act = Write("HTTP/1.1 204 No Content\r\n\r\n");
const MOMENT: Act = Pause(Duration::from_millis(50));

async fn moment() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn one_connection_serves_one_exchange_after_another() {
    let script = vec![Read, OK, Read, CHUNKED, Read, EMPTY, Read, OK, Read, OK];
    let origin = Origin::start(vec![script]).await;
    let upstream = over_network(&http(origin.address));
    for _ in 0..5 {
        ask(&upstream, get()).await.unwrap();
    }
    assert_eq!(origin.seen().len(), 5);
}

#[tokio::test]
async fn a_body_that_is_dropped_early_does_not_dirty_the_next_exchange() {
    let half = Write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    let origin =
        Origin::start(vec![vec![Read, half, MOMENT, Write("dirty"), Stall], vec![Read, OK]]).await;
    let upstream = over_network(&http(origin.address));
    drop(upstream.send(get(), None).await.unwrap());
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_never_a_response() {
    let split = Write(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
    let late = Write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    for first in [vec![Read, split, Stall], vec![Read, OK, late, Stall]] {
        let origin = Origin::start(vec![first, vec![Read, OK]]).await;
        let upstream = over_network(&http(origin.address));
        assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
        moment().await;
        assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
    }
}

#[tokio::test]
async fn pipelined_bytes_are_never_a_response_even_without_a_pause() {
    let split = Write(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    );
    for _ in 0..50 {
        let origin = Origin::start(vec![vec![Read, split, Stall], vec![Read, OK]]).await;
        let upstream = over_network(&http(origin.address));
        assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
        assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
    }
}

#[tokio::test]
async fn a_response_with_both_lengths_loses_one_and_its_connection() {
    let both = Write(
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    let origin = Origin::start(vec![vec![Read, both, Stall], vec![Read, OK]]).await;
    let upstream = over_network(&http(origin.address));
    let heard = ask(&upstream, get()).await.unwrap();
    assert_eq!(heard.body, "ok");
    assert!(!heard.fields.contains_key("content-length"));
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
}

/// The first connection serves one exchange, and is closed as the second request arrives.
async fn stale(method: &str, body: RequestBody, last: Vec<Act>) -> Result<Heard, FetchFailure> {
    let mut first = vec![Read, OK];
    first.extend(last);
    let origin = Origin::start(vec![first, vec![Read, OK, Stall]]).await;
    let upstream = over_network(&http(origin.address));
    ask(&upstream, get()).await.unwrap();
    ask(&upstream, request(method, body)).await
}

#[tokio::test]
async fn what_met_a_stale_connection_is_sent_once_more_if_it_may_be() {
    let whole = || RequestBody::Whole(Bytes::from("x"));
    let stream = || {
        RequestBody::Stream(http_body_util::Full::from("x").map_err(|e| match e {}).boxed_unsync())
    };
    let sent_again = |heard: Result<Heard, FetchFailure>| heard.map(|heard| heard.body);
    assert_eq!(sent_again(stale("GET", RequestBody::Empty, vec![Read]).await), Ok("ok".into()));
    assert_eq!(
        sent_again(stale("GET", RequestBody::Empty, vec![Read, Act::Reset]).await),
        Ok("ok".into())
    );
    assert_eq!(sent_again(stale("PUT", whole(), vec![Read]).await), Ok("ok".into()));
    let refused = [
        stale("POST", whole(), vec![Read]).await,
        stale("PUT", stream(), vec![Read]).await,
        stale("GET", RequestBody::Empty, vec![Read, Write("HTTP/1.1 2")]).await,
    ];
    for heard in refused {
        assert_eq!(heard.unwrap_err().kind, FailureKind::HeadCut);
    }
}

#[tokio::test]
async fn what_failed_on_a_fresh_connection_is_not_sent_again() {
    let origin = Origin::start(vec![vec![Read], vec![Read, OK]]).await;
    let upstream = over_network(&http(origin.address));
    assert_eq!(ask(&upstream, get()).await.unwrap_err().kind, FailureKind::HeadCut);
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_nothing_whatever_the_method() {
    let origin = Origin::start(vec![vec![Read, OK], vec![Read, OK]]).await;
    let upstream = over_network(&http(origin.address));
    ask(&upstream, get()).await.unwrap();
    moment().await;
    let heard = ask(&upstream, request("POST", RequestBody::Empty)).await.unwrap();
    assert_eq!(heard.body, "ok");
}
