//! What HTTP/1.1 to an origin is held to beyond what its other tests say.

use super::*;
use crate::answer::BodyError;
use Act::{Pause, Read, ReadUntil, Stall, Write};
use http_body::Frame;

const OK: Act = Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

/// A body of these frames.
fn frames(frames: Vec<Result<Frame<Bytes>, BodyError>>) -> RequestBody {
    let frames = futures_util::stream::iter(frames);
    RequestBody::Stream(http_body_util::StreamBody::new(frames).boxed_unsync())
}

/// It is moved into the future of each of its callers in turn.
#[test]
fn the_future_of_an_exchange_is_small() {
    let upstream = over_network(&http("127.0.0.1:1".parse().unwrap()));
    let size = std::mem::size_of_val(&upstream.send(get(), None));
    assert!(size < 1024, "{size} bytes");
}

#[tokio::test]
async fn a_request_goes_on_while_nobody_takes_the_response_that_came_before_its_end() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n";
    let half = "x".repeat(0x1_0000).leak();
    let script = vec![
        Read,
        Write(head),
        Write(half),
        Write("\r\n"),
        ReadUntil("\r\n0\r\n\r\n"),
        Write("0\r\n\r\n"),
    ];
    let origin = Origin::start(vec![script]).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    let body = RequestBody::Stream(http_body_util::StreamBody::new(stream).boxed_unsync());
    let upstream = over_network(&http(origin.address));
    let response = upstream.send(request("POST", body), None).await.unwrap();
    for _ in 0..64 {
        let frame = Frame::data(Bytes::from(vec![b'y'; 64 * 1024]));
        sender.send(Ok::<_, BodyError>(frame)).await.unwrap();
    }
    drop(sender);
    assert_eq!(hear(response).await.unwrap().body.len(), half.len());
}

#[tokio::test]
async fn who_drops_an_early_response_ends_the_exchange() {
    let head = Write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    let origin = Origin::start(vec![vec![Read, head, Read]]).await;
    let body = futures_util::stream::pending::<Result<Frame<Bytes>, _>>();
    let body = RequestBody::Stream(http_body_util::StreamBody::new(body).boxed_unsync());
    let upstream = over_network(&http(origin.address));
    drop(upstream.send(request("POST", body), None).await.unwrap());
    let begun = std::time::Instant::now();
    while origin.closed() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the connection stays open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_response_that_refuses_the_rest_of_a_request_is_heard() {
    let refusal =
        Write("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
    let origin = Origin::start(vec![vec![Read, refusal]]).await;
    let data = || Ok(Frame::data(Bytes::from(vec![b'y'; 4096])));
    let body = frames((0..4).map(|_| data()).collect());
    let heard = ask(&over_network(&http(origin.address)), request("POST", body)).await.unwrap();
    assert_eq!((heard.status, heard.body.as_str()), (413, "no"));
}

#[tokio::test]
async fn a_connection_that_its_origin_closed_is_not_held_until_it_is_wanted() {
    let origin = Origin::start(vec![vec![Read, OK], vec![Read, OK]]).await;
    let settings = UpstreamSettings { connections_max: 1, ..http(origin.address) };
    let upstream = over_network(&settings);
    ask(&upstream, get()).await.unwrap();
    let begun = std::time::Instant::now();
    while upstream.first().idle() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody looked after it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
}

#[tokio::test]
async fn an_origin_that_says_nothing_but_interim_responses_is_given_up() {
    let flood = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(300).leak();
    let failure = ask_once(&[Read, Write(flood), Stall]).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
}

#[tokio::test]
async fn what_can_be_no_response_is_not_waited_for() {
    let failure = ask_once(&[Read, Write("SSH-2.0-x"), Stall]).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
}

#[tokio::test]
async fn http_1_0_connections_are_used_again_where_they_say_so() {
    let kept = Write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    let closed = Write("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let origin = Origin::start(vec![vec![Read, kept, Read, closed, Stall], vec![Read, OK]]).await;
    let upstream = over_network(&http(origin.address));
    for _ in 0..3 {
        assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
    }
    assert_eq!(origin.seen().len(), 3);
}

#[tokio::test]
async fn padded_chunk_sizes_are_read_and_endless_ones_are_not() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let padded = format!("{head}{}0    \r\n\r\n", "2     ;x=y\r\nok\r\n".repeat(1000));
    let heard = ask_once(&[Read, Write(padded.leak())]).await.unwrap();
    assert_eq!(heard.body, "ok".repeat(1000));
    let endless = format!("{head}2{}\r\nok\r\n0\r\n\r\n", " ".repeat(5000));
    let failure = ask_once(&[Read, Write(endless.leak())]).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::BodyCut);
}

#[tokio::test]
async fn trailers_of_a_request_are_sent_where_they_were_announced() {
    let mut trailers = HeaderMap::new();
    trailers.insert("digest", "yes".parse().unwrap());
    trailers.insert("secret", "no".parse().unwrap());
    let body = frames(vec![Ok(Frame::data(Bytes::from("abc"))), Ok(Frame::trailers(trailers))]);
    let mut request = request("POST", body);
    request.headers_mut().insert("trailer", "x, Digest".parse().unwrap());
    let end = "3\r\nabc\r\n0\r\nDigest: yes\r\n\r\n";
    let origin = Origin::start(vec![vec![ReadUntil(end), OK]]).await;
    ask(&over_network(&http(origin.address)), request).await.unwrap();
    assert!(origin.seen()[0].ends_with(end), "{:?}", origin.seen());
}

#[tokio::test]
async fn a_request_of_another_length_than_it_says_is_cut() {
    for (said, text) in [("2", "abc"), ("4", "abc")] {
        let origin = Origin::start(vec![vec![Read, Pause(Duration::from_millis(50)), Read]]).await;
        let mut request = request("POST", frames(vec![Ok(Frame::data(Bytes::from(text)))]));
        request.headers_mut().insert("content-length", said.parse().unwrap());
        let failure = ask(&over_network(&http(origin.address)), request).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::RequestCut, "{said}");
    }
}

#[tokio::test]
async fn a_streamed_body_that_reached_nobody_goes_over_another_connection() {
    let origin = Origin::start(vec![vec![Read, OK], vec![ReadUntil("abc"), OK]]).await;
    let upstream = over_network(&http(origin.address));
    ask(&upstream, get()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut request = request("POST", frames(vec![Ok(Frame::data(Bytes::from("abc")))]));
    request.headers_mut().insert("content-length", "3".parse().unwrap());
    assert_eq!(ask(&upstream, request).await.unwrap().body, "ok");
}

#[tokio::test]
async fn a_body_that_came_with_its_head_can_be_taken_whole() {
    let origin = Origin::start(vec![vec![Read, OK, Read, OK]]).await;
    let upstream = over_network(&http(origin.address));
    for _ in 0..2 {
        let mut body = upstream.send(get(), None).await.unwrap().into_body();
        assert_eq!(body.take_whole().unwrap(), "ok");
        assert!(http_body::Body::is_end_stream(&body));
    }
}
