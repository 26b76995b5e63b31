//! HTTP/2 to HTTP/1: nothing that HTTP/2 lets through becomes another request when it is written
//! as HTTP/1 (H2.CL, H2.TE, CVE-2026-42926; RFC 9113 sections 8.2, 8.3 and 10.3).

use crate::frames::{
    BODY, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, Outcome, frame, get, literals, request,
};
use crate::stage::{Stage, is_hit, mirror, mirror_unkept, text};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// The stream is refused, one way or another, and the origin hears nothing.
async fn refuses(stage: &Stage, fields: &[(&str, &str)]) {
    let outcome = stage.h2_sends(&request(1, fields)).await;
    assert!(!matches!(outcome, Outcome::Answered(200, _)), "{fields:?}: {outcome:?}");
    assert_eq!(stage.origin.asked(), Vec::<String>::new(), "{fields:?}");
}

#[tokio::test]
async fn a_proper_request_arrives_as_http1() {
    let stage = Stage::start(mirror).await;
    let Outcome::Answered(200, body) = stage.h2_sends(&request(1, &get("/k?q"))).await else {
        panic!("it is answered");
    };
    assert!(body.starts_with("GET /k?q HTTP/1.1\r\n"), "{body}");
    assert!(is_hit(&stage.get("/k?q").await), "both versions share a key");
}

#[tokio::test]
async fn fields_that_are_a_connections_own_or_hold_line_ends_are_refused() {
    let stage = Stage::start(mirror).await;
    let long = format!("x\r\n\r\n{SMUGGLED}");
    for field in [
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", ""),
        ("connection", "close"),
        ("connection", "keep-alive, x"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("te", "trailers, chunked"),
        ("x", "a\r\nTransfer-Encoding: chunked"),
        ("x", long.as_str()),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x", " a"),
        ("x", "a\t"),
        ("x\r\ny", "a"),
        ("x: y", "a"),
        ("x y", "a"),
        ("x:", "a"),
        ("X", "a"),
        ("", "a"),
        ("transfer-encoding: chunked\r\nx", "a"),
        ("content-length", "5"),
        ("content-length", "+0"),
        ("content-length", "0, 0"),
        ("content-length", "x"),
        ("content-length", "18446744073709551616"),
        ("host", "b"),
        ("host", "a b"),
    ] {
        let fields: Vec<_> = get("/k").into_iter().chain([field]).collect();
        refuses(&stage, &fields).await;
    }
}

#[tokio::test]
async fn pseudo_fields_that_are_abused_are_refused() {
    let stage = Stage::start(mirror).await;
    let [method, scheme, authority, path] = get("/k");
    let smuggled = format!("/k HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}");
    for fields in [
        vec![method, scheme, authority, path, path],
        vec![method, scheme, authority, path, (":method", "POST")],
        vec![method, scheme, authority, path, authority],
        vec![method, scheme, authority],
        vec![scheme, authority, path],
        vec![method, scheme, path],
        vec![method, scheme, authority, path, ("x", "y"), (":path", "/b")],
        vec![method, scheme, authority, (":path", "")],
        vec![method, scheme, authority, (":path", "b")],
        vec![method, scheme, authority, (":path", "*")],
        vec![method, scheme, authority, (":path", "/a b")],
        vec![method, scheme, authority, (":path", "/a\r\nX: y")],
        vec![method, scheme, authority, (":path", &smuggled)],
        vec![method, scheme, authority, (":path", "http://evil/k")],
        vec![(":method", "GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET"), scheme, authority, path],
        vec![(":method", "GET "), scheme, authority, path],
        vec![(":method", ""), scheme, authority, path],
        vec![(":method", "CONNECT"), authority],
        vec![(":method", "CONNECT"), scheme, authority, path, (":protocol", "websocket")],
        vec![(":method", "TRACE"), scheme, authority, path],
        vec![method, scheme, (":authority", "a\r\nX: y"), path],
        vec![method, scheme, (":authority", "u@a"), path],
        vec![method, scheme, (":authority", "a/evil"), path],
        vec![method, scheme, (":authority", "a b"), path],
        vec![method, scheme, (":authority", ""), path],
        vec![method, (":scheme", "http://evil/?"), authority, path],
        vec![method, (":scheme", "http\r\n"), authority, path],
        vec![method, (":scheme", "ftp"), authority, path],
        vec![method, (":scheme", "https"), authority, path],
        vec![method, scheme, authority, path, (":status", "200")],
        vec![method, scheme, authority, path, (":x", "y")],
        vec![method, scheme, authority, path, ("host", "b")],
        vec![method, scheme, authority, path, ("host", "a"), ("host", "a")],
    ] {
        refuses(&stage, &fields).await;
    }
}

#[tokio::test]
async fn a_fragment_over_http2_is_no_part_of_the_target() {
    let stage = Stage::start(mirror).await;
    let outcome = stage.h2_sends(&request(1, &get("/k#evil"))).await;
    if let Outcome::Answered(200, body) = outcome {
        assert!(body.starts_with("GET /k HTTP/1.1\r\n"), "{body}");
    }
    assert!(!text(&stage.get("/k").await).contains("evil"));
}

#[tokio::test]
async fn a_body_of_another_length_than_was_said_never_arrives_whole() {
    let mut stage = Stage::start(mirror_unkept).await;
    let [_, scheme, authority, path] = get("/k");
    for (said, body) in [("0", SMUGGLED), ("5", SMUGGLED), ("100", "short"), ("1", "")] {
        let fields = [(":method", "POST"), scheme, authority, path, ("content-length", said)];
        let mut frames = frame(HEADERS, END_HEADERS, 1, &literals(&fields));
        frames.extend(frame(BODY, END_STREAM, 1, body.as_bytes()));
        let outcome = stage.h2_sends(&frames).await;
        assert!(!matches!(outcome, Outcome::Answered(200, _)), "{said}: {outcome:?}");
    }
    stage.lives().await;
    for heard in stage.origin.heard() {
        assert!(!heard.head.target().contains("smuggled"), "{}", heard.shown());
        let is_whole = heard.ending == forebay_trial::wire::Ending::Whole;
        assert!(!is_whole || heard.head.target() == "/lives", "{}", heard.shown());
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_framed_by_the_gateway() {
    let mut stage = Stage::start(mirror_unkept).await;
    let [_, scheme, authority, path] = get("/k");
    let fields = [(":method", "POST"), scheme, authority, path];
    let mut frames = frame(HEADERS, END_HEADERS, 1, &literals(&fields));
    let body = format!("0\r\n\r\n{SMUGGLED}");
    frames.extend(frame(BODY, END_STREAM, 1, body.as_bytes()));
    stage.h2_sends(&frames).await;
    stage.lives().await;
    assert_eq!(stage.origin.asked(), ["POST /k", "GET /lives"]);
    assert_eq!(stage.origin.heard()[0].body, body.as_bytes());
}

#[tokio::test]
async fn the_body_of_a_get_over_http2_is_neither_passed_on_nor_believed() {
    let stage = Stage::start(mirror).await;
    let mut frames = frame(HEADERS, END_HEADERS, 1, &literals(&get("/k")));
    frames.extend(frame(BODY, END_STREAM, 1, SMUGGLED.as_bytes()));
    stage.h2_sends(&frames).await;
    let clean = text(&stage.get("/k").await);
    assert!(!clean.contains("smuggled"), "{clean}");
    assert!(stage.origin.heard().iter().all(|heard| heard.body.is_empty()));
}

#[tokio::test]
async fn trailers_over_http2_never_become_fields() {
    let stage = Stage::start(mirror_unkept).await;
    let [_, scheme, authority, path] = get("/k");
    for trailer in [
        [("content-length", "9")],
        [("host", "evil")],
        [("authorization", "evil")],
        [("transfer-encoding", "chunked")],
        [(":path", "/evil")],
        [("x", "a\r\nevil: b")],
    ] {
        let fields = [(":method", "POST"), scheme, authority, path];
        let mut frames = frame(HEADERS, END_HEADERS, 1, &literals(&fields));
        frames.extend(frame(BODY, 0, 1, b"hello"));
        frames.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &literals(&trailer)));
        if let Outcome::Answered(200, body) = stage.h2_sends(&frames).await {
            assert!(!body.contains("evil"), "{body}");
        }
    }
    for heard in stage.origin.heard() {
        assert!(heard.trailers.iter().all(|(name, _)| name == "x"), "{:?}", heard.trailers);
    }
}

#[tokio::test]
async fn a_head_in_many_pieces_is_the_same_head() {
    let stage = Stage::start(mirror).await;
    let block = literals(&get("/k"));
    let mut frames = frame(HEADERS, END_STREAM, 1, &block[..3]);
    for byte in &block[3..block.len() - 1] {
        frames.extend(frame(CONTINUATION, 0, 1, &[*byte]));
    }
    frames.extend(frame(CONTINUATION, END_HEADERS, 1, &block[block.len() - 1..]));
    let outcome = stage.h2_sends(&frames).await;
    // So many pieces for so little may be refused; another request it is not.
    if let Outcome::Answered(200, body) = outcome {
        assert!(body.starts_with("GET /k HTTP/1.1\r\n"), "{body}");
    }
    assert!(stage.origin.asked().iter().all(|asked| asked == "GET /k"));
}
