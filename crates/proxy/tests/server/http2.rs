//! HTTP/2 with prior knowledge: round trips with a proper client, and frames by hand for the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use forebay::answer::AnswerBody;
use forebay::config::Limits;
use forebay::server::serve_connection;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{
    PEER, Stage, answer, connect, connect_through, limits, stream, stream_with, whole,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const CONTENT: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

async fn client(stage: Stage, limits: Limits) -> SendRequest<Full<Bytes>> {
    let io = TokioIo::new(connect(stage, limits));
    let (client, connection) = Builder::new(TokioExecutor::new()).handshake(io).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(stage: Stage, request: Request<Full<Bytes>>) -> Response<Incoming> {
    client(stage, limits()).await.send_request(request).await.unwrap()
}

fn get(target: &str) -> Request<Full<Bytes>> {
    Request::get(target).body(Full::default()).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_with_a_body_is_answered() {
    let request = Request::post("http://a/p?q").body(Full::from("hello")).unwrap();
    let response = ask(Stage::echo(), request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["date"], "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(text(response).await, "POST http://a/p?q a [hello]");
}

#[tokio::test]
async fn answers_take_the_form_of_http2() {
    let make = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", HeaderValue::from_static("7"));
        let mut answer = stream_with(None, &["ab", "cde"], Some(trailers));
        answer.prepared[1] = Bytes::from_static(b"etag: \"1\"\r\nx-a: b:c\r\n");
        answer.fields.insert("connection", HeaderValue::from_static("close"));
        answer
    };
    let response = ask(Stage::new(move |_| std::future::ready(make())), get("http://a/")).await;
    assert_eq!(response.headers()["etag"], "\"1\"");
    assert_eq!(response.headers()["x-a"], "b:c");
    assert!(!response.headers().contains_key("connection"));
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["checksum"], "7");
    assert_eq!(body.to_bytes(), "abcde");

    let head = Request::head("http://a/").body(Full::default()).unwrap();
    let sized = || answer(StatusCode::OK, AnswerBody::Sized(Some(7)));
    let response = ask(Stage::new(move |_| std::future::ready(sized())), head).await;
    assert_eq!(response.headers()["content-length"], "7");
    let large = Stage::new(|_| async { whole("x".repeat(300_000)) });
    assert_eq!(text(ask(large, get("http://a/")).await).await.len(), 300_000);
}

#[tokio::test]
async fn a_body_that_ends_wrongly_resets_its_stream() {
    for (length, pieces) in
        [(None, &["ab", ""][..]), (Some(5), &["ab"][..]), (Some(5), &["abcdefgh"][..])]
    {
        let stage = Stage::new(move |_| async move { stream(length, pieces) });
        // The reset may overtake the head.
        let response = client(stage, limits()).await.send_request(get("http://a/")).await;
        let Ok(response) = response else { continue };
        assert!(response.into_body().collect().await.is_err(), "{pieces:?}");
    }
}

#[tokio::test]
async fn a_panic_ends_its_stream_with_500_and_no_other() {
    let stage = Stage::new(|request| async move {
        assert!(request.target.path() != "/panic", "as the test wants");
        whole("x")
    });
    let mut client = client(stage, limits()).await;
    let response = client.send_request(get("http://a/panic")).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(text(client.send_request(get("http://a/")).await.unwrap()).await, "x");
}

#[tokio::test]
async fn what_http2_leaves_open_is_as_strict_as_http1() {
    let with = |name: &'static str, value: &str| {
        let mut request = get("http://a/");
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        request
    };
    let mut many = get("http://a/");
    for _ in 0..30 {
        many.headers_mut().append("x", HeaderValue::from_static("y"));
    }
    let long = "x".repeat(600);
    for (request, status) in [
        (with("host", "a"), 200),
        (with("expect", "200-ok"), 417),
        (many, 431),
        (get(&format!("http://a/{long}")), 414),
        (get("ftp://a/"), 400),
    ] {
        let told = format!("{request:?}");
        assert_eq!(ask(Stage::echo(), request).await.status(), status, "{told}");
    }
}

#[tokio::test]
async fn cookie_crumbs_are_one_field() {
    let stage = Stage::new(|request| async move {
        let cookies: Vec<_> = request.fields.get_all("cookie").iter().collect();
        whole(format!("{cookies:?}"))
    });
    let mut request = get("http://a/");
    for crumb in ["a=1", "b=2", "c=3"] {
        request.headers_mut().append("cookie", HeaderValue::from_static(crumb));
    }
    assert_eq!(text(ask(stage, request).await).await, "[\"a=1; b=2; c=3\"]");
}

#[tokio::test]
async fn a_request_body_beyond_the_limit_is_413_or_an_error() {
    let limits = Limits { body_bytes_max: 4, ..limits() };
    let request = || Request::post("http://a/").body(Full::from("hello")).unwrap();
    let mut client = client(Stage::echo(), limits).await;
    assert_eq!(client.send_request(request()).await.unwrap().status(), 413);
}

// Frames by hand.

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields as literals that no table is used for.
fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];

async fn open(stage: Stage, limits: Limits) -> DuplexStream {
    let mut client = connect_through(stage, limits, 1 << 20);
    client.write_all(PREFACE).await.unwrap();
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    client
}

/// The next frame's kind, stream and payload; `None` when the connection is over.
async fn next_frame(client: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    client.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    client.read_exact(&mut payload).await.ok()?;
    Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}

/// Reads until a frame of one of these kinds came, or the connection ended.
async fn until(client: &mut (impl AsyncRead + Unpin), kinds: &[u8]) -> Option<(u8, u32, Vec<u8>)> {
    loop {
        let frame = next_frame(client).await?;
        if kinds.contains(&frame.0) {
            return Some(frame);
        }
    }
}

/// A stage that counts what reaches it.
fn counting() -> (Stage, Arc<AtomicUsize>) {
    let reached = Arc::new(AtomicUsize::new(0));
    let counter = reached.clone();
    let stage = Stage::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(whole("x"))
    });
    (stage, reached)
}

#[tokio::test]
async fn fields_that_would_smuggle_when_passed_on_as_http1_never_reach_a_service() {
    for field in [
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("te", "chunked"),
        ("x", "a\r\nTransfer-Encoding: chunked"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x\r\ny", "a"),
        ("x: y", "a"),
        ("X", "a"),
        ("", "a"),
        ("content-length", "5"),
        ("content-length", "+0"),
        ("content-length", "0, 0"),
    ] {
        let (stage, reached) = counting();
        let mut client = open(stage, limits()).await;
        let fields: Vec<_> = GET.into_iter().chain([field]).collect();
        let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &literals(&fields));
        client.write_all(&request).await.unwrap();
        let kind = until(&mut client, &[HEADERS, RST_STREAM, GOAWAY]).await.map(|frame| frame.0);
        assert_ne!(kind, Some(HEADERS), "{field:?}");
        assert_eq!(reached.load(Ordering::Relaxed), 0, "{field:?}");
    }
}

#[tokio::test]
async fn a_malformed_request_ends_its_stream_and_no_other() {
    let [method, scheme, authority, path] = GET;
    let and = |field| vec![method, scheme, authority, path, field];
    let two_hosts = vec![method, scheme, authority, path, ("host", "a"), ("host", "a")];
    for fields in [
        and(("host", "b")),
        two_hosts,
        and(("x", " y")),
        and(("x", "y\t")),
        and(("connection", "close")),
        vec![(":method", "CONNECT")],
        vec![method, scheme, path],
    ] {
        let (stage, reached) = counting();
        let mut client = open(stage, limits()).await;
        let malformed = frame(HEADERS, END_STREAM | END_HEADERS, 1, &literals(&fields));
        client.write_all(&malformed).await.unwrap();
        let end = until(&mut client, &[HEADERS, RST_STREAM, GOAWAY]).await;
        assert_eq!(end, Some((RST_STREAM, 1, PROTOCOL_ERROR.to_vec())), "{fields:?}");
        assert_eq!(reached.load(Ordering::Relaxed), 0, "{fields:?}");

        let sound = frame(HEADERS, END_STREAM | END_HEADERS, 3, &literals(&GET));
        client.write_all(&sound).await.unwrap();
        let answer = until(&mut client, &[HEADERS, RST_STREAM, GOAWAY]).await;
        assert_eq!(answer.map(|frame| (frame.0, frame.1)), Some((HEADERS, 3)), "{fields:?}");
    }
}

#[tokio::test]
async fn malformed_requests_are_no_flood() {
    let limits = Limits { resets_max: 1, streams_max: 1, ..limits() };
    let mut client = open(Stage::echo(), limits).await;
    let fields: Vec<_> = GET.into_iter().chain([("x", " y")]).collect();
    for stream in (1..40).step_by(2) {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, &literals(&fields));
        client.write_all(&request).await.unwrap();
        let end = until(&mut client, &[HEADERS, RST_STREAM, GOAWAY]).await;
        assert_eq!(end, Some((RST_STREAM, stream, PROTOCOL_ERROR.to_vec())));
    }
}

#[tokio::test]
async fn trailers_carry_no_pseudo_fields_and_no_padding() {
    for (trailers, read) in [
        (vec![("sum", "7")], Some("{\"sum\": \"7\"}")),
        (vec![(":method", "PUT"), ("sum", "7")], Some("{\"sum\": \"7\"}")),
        (vec![("sum", " 7")], None),
        (vec![("sum", "7\t")], None),
    ] {
        let stage = Stage::new(|request| async move {
            let body = request.body.collect().await;
            whole(match body {
                Ok(body) => format!("{:?}", body.trailers().unwrap()),
                Err(error) => error.to_string(),
            })
        });
        let mut client = open(stage, limits()).await;
        client.write_all(&frame(HEADERS, END_HEADERS, 1, &literals(&GET))).await.unwrap();
        client.write_all(&frame(CONTENT, 0, 1, b"x")).await.unwrap();
        let last = frame(HEADERS, END_STREAM | END_HEADERS, 1, &literals(&trailers));
        client.write_all(&last).await.unwrap();
        let (_, _, data) = until(&mut client, &[CONTENT]).await.unwrap();
        let expected = read.unwrap_or("a trailer's value begins or ends with whitespace");
        assert_eq!(String::from_utf8(data).unwrap(), expected, "{trailers:?}");
    }
}

#[tokio::test]
async fn a_goaway_reaches_a_client_that_is_still_sending() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (served, _) = listener.accept().await.unwrap();
    let connection = tokio::spawn(serve_connection(served, PEER, limits(), Stage::echo()));
    client.write_all(PREFACE).await.unwrap();
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    // CONTENT belongs to a stream.
    client.write_all(&frame(CONTENT, 0, 0, b"x")).await.unwrap();
    for _ in 0..100 {
        client.write_all(&[0; 10_000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let end = until(&mut client, &[GOAWAY]).await;
    assert!(end.is_some_and(|(_, _, payload)| payload[4..8] == PROTOCOL_ERROR));
    assert!(next_frame(&mut client).await.is_none());
    drop(client);
    connection.await.unwrap();
}

#[tokio::test]
async fn a_client_cannot_push() {
    for (stream, promised) in [(1, 2u32), (1, 3), (3, 4)] {
        let (stage, reached) = counting();
        let mut client = open(stage, limits()).await;
        client.write_all(&frame(HEADERS, END_HEADERS, 1, &literals(&GET))).await.unwrap();
        let mut promise = promised.to_be_bytes().to_vec();
        promise.extend(literals(&GET));
        let promise = frame(PUSH_PROMISE, END_HEADERS, stream, &promise);
        client.write_all(&promise).await.unwrap();
        let end = until(&mut client, &[GOAWAY]).await;
        assert!(end.is_some_and(|(_, _, payload)| payload[4..8] == PROTOCOL_ERROR), "{promised}");
        assert!(reached.load(Ordering::Relaxed) <= 1, "{promised}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_is_not_kept_by_a_client_that_stays() {
    let (mut client, served) = tokio::io::duplex(1 << 20);
    let begin = tokio::time::Instant::now();
    let connection = tokio::spawn(serve_connection(served, PEER, limits(), Stage::echo()));
    client.write_all(PREFACE).await.unwrap();
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    client.write_all(&frame(CONTENT, 0, 0, b"x")).await.unwrap();
    connection.await.unwrap();
    assert!(begin.elapsed() <= Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn pseudo_fields_that_are_abused_never_reach_a_service() {
    let [method, scheme, authority, path] = GET;
    for fields in [
        vec![method, scheme, authority, path, path],
        vec![method, scheme, authority, path, (":method", "POST")],
        vec![method, scheme, authority],
        vec![scheme, authority, path],
        vec![method, authority, path],
        vec![method, scheme, path],
        vec![method, scheme, authority, path, ("x", "y"), (":path", "/b")],
        vec![method, scheme, authority, (":path", "")],
        vec![method, scheme, authority, (":path", "b")],
        vec![method, scheme, authority, (":path", "*")],
        vec![method, scheme, authority, (":path", "/a b")],
        vec![method, scheme, authority, (":path", "/\r\nX: y")],
        vec![method, scheme, authority, (":path", "/a HTTP/1.1\r\nX: y")],
        vec![(":method", "GET / HTTP/1.1\r\nHost: b\r\n"), scheme, authority, path],
        vec![(":method", "CONNECT"), authority],
        vec![(":method", "TRACE"), scheme, authority, path],
        vec![method, scheme, (":authority", "a\r\nX: y"), path],
        vec![method, scheme, (":authority", "u@a"), path],
        vec![method, scheme, (":authority", ""), path],
        vec![method, (":scheme", "http://b/?"), authority, path],
        vec![method, scheme, authority, path, (":status", "200")],
        vec![method, scheme, authority, path, ("host", "b")],
    ] {
        let (stage, reached) = counting();
        let mut client = open(stage, limits()).await;
        let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &literals(&fields));
        client.write_all(&request).await.unwrap();
        until(&mut client, &[HEADERS, RST_STREAM, GOAWAY]).await;
        assert_eq!(reached.load(Ordering::Relaxed), 0, "{fields:?}");
    }
}

#[tokio::test]
async fn a_host_field_stands_in_for_a_missing_authority() {
    let mut client = open(Stage::echo(), limits()).await;
    let fields = [GET[0], GET[1], GET[3], ("host", "b")];
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &literals(&fields));
    client.write_all(&request).await.unwrap();
    let (_, _, data) = until(&mut client, &[CONTENT]).await.unwrap();
    assert_eq!(String::from_utf8(data).unwrap(), "GET http://b/ b []");
}

#[tokio::test]
async fn data_of_another_length_than_was_said_is_an_error_for_who_reads_it() {
    let mut client = open(Stage::echo(), limits()).await;
    let fields: Vec<_> = GET.into_iter().chain([("content-length", "5")]).collect();
    client.write_all(&frame(HEADERS, END_HEADERS, 1, &literals(&fields))).await.unwrap();
    client.write_all(&frame(CONTENT, END_STREAM, 1, b"hello, world")).await.unwrap();
    let frame = until(&mut client, &[HEADERS, RST_STREAM, GOAWAY]).await;
    assert_eq!(frame.map(|frame| frame.0), Some(RST_STREAM));
}

/// Sends until the connection is closed by the other side, or so many times; how often it was.
async fn flood(client: &mut DuplexStream, mut next: impl FnMut(u32) -> Vec<u8>) -> bool {
    for number in 0..20_000 {
        if client.write_all(&next(number)).await.is_err() {
            return true;
        }
        if number % 16 == 0 {
            tokio::task::yield_now().await;
            let frame = tokio::time::timeout(Duration::ZERO, next_frame(client)).await;
            if matches!(frame, Ok(None | Some((GOAWAY, ..)))) {
                return true;
            }
        }
    }
    false
}

#[tokio::test]
async fn rapid_reset_closes_the_connection() {
    let stage = Stage::new(|_| std::future::pending());
    let mut client = open(stage, limits()).await;
    let closed = flood(&mut client, |number| {
        let stream = number * 2 + 1;
        let mut frames = frame(HEADERS, END_STREAM | END_HEADERS, stream, &literals(&GET));
        frames.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        frames
    });
    assert!(closed.await);
}

#[tokio::test]
async fn made_you_reset_closes_the_connection() {
    let stage = Stage::new(|_| std::future::pending());
    let mut client = open(stage, limits()).await;
    let closed = flood(&mut client, |number| {
        let stream = number * 2 + 1;
        let mut frames = frame(HEADERS, END_STREAM | END_HEADERS, stream, &literals(&GET));
        frames.extend(frame(WINDOW_UPDATE, 0, stream, &0u32.to_be_bytes()));
        frames
    });
    assert!(closed.await);
}

#[tokio::test]
async fn a_continuation_flood_closes_the_connection() {
    let (stage, reached) = counting();
    let mut client = open(stage, limits()).await;
    client.write_all(&frame(HEADERS, END_STREAM, 1, &literals(&GET))).await.unwrap();
    let closed =
        flood(&mut client, |_| frame(CONTINUATION, 0, 1, &literals(&[("x", &"y".repeat(100))])));
    assert!(closed.await);
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_empty_continuation_flood_closes_the_connection() {
    let (stage, _) = counting();
    let mut client = open(stage, limits()).await;
    client.write_all(&frame(HEADERS, END_STREAM, 1, &literals(&GET))).await.unwrap();
    assert!(flood(&mut client, |_| frame(CONTINUATION, 0, 1, &[])).await);
}

#[tokio::test]
async fn an_hpack_bomb_is_refused_before_it_is_unpacked() {
    let (stage, reached) = counting();
    let mut client = open(stage, limits()).await;
    let mut block = literals(&GET);
    // One field of 3 KiB goes into the table; each further byte names it again.
    block.extend([0x40, 1, b'x', 127]);
    block.extend([0x81, 0x17]);
    block.extend([b'y'; 3072]);
    block.extend([0xbe; 4000]);
    client.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)).await.unwrap();
    let end = until(&mut client, &[HEADERS, RST_STREAM, GOAWAY]).await;
    assert!(end.is_some());
    assert_eq!(reached.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_window_that_stays_shut_closes_the_connection() {
    for body in [1_000, 100_000] {
        let stage = Stage::new(move |_| async move { whole("x".repeat(body)) });
        let mut client = connect_through(stage, limits(), 1 << 20);
        client.write_all(PREFACE).await.unwrap();
        // SETTINGS_INITIAL_WINDOW_SIZE = 1.
        client.write_all(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1])).await.unwrap();
        let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &literals(&GET));
        client.write_all(&request).await.unwrap();
        let begin = tokio::time::Instant::now();
        while next_frame(&mut client).await.is_some() {
            // Pings are not answered either, but that bound is the longer one.
        }
        let passed = begin.elapsed();
        assert!(
            passed >= Duration::from_secs(30) && passed <= Duration::from_secs(45),
            "{passed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_to_go_and_closed() {
    let (stage, _) = counting();
    let mut client = open(stage, limits()).await;
    let begin = tokio::time::Instant::now();
    assert!(until(&mut client, &[GOAWAY]).await.is_some());
    while next_frame(&mut client).await.is_some() {}
    assert!(begin.elapsed() <= Duration::from_secs(120), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let limits = Limits { streams_max: 2, ..limits() };
    let mut client = open(Stage::new(|_| std::future::pending()), limits).await;
    until(&mut client, &[SETTINGS]).await;
    client.write_all(&frame(SETTINGS, 1, 0, &[])).await.unwrap();
    tokio::task::yield_now().await;
    for stream in [1, 3, 5] {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, &literals(&GET));
        client.write_all(&request).await.unwrap();
    }
    let (_, stream, reason) = until(&mut client, &[RST_STREAM]).await.unwrap();
    assert_eq!((stream, &reason[..]), (5, &7u32.to_be_bytes()[..]));
}
