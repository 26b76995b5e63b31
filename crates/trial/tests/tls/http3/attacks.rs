//! Clients that do not mean well. The codes are those of RFC 9114 section 8.1 and RFC 9204 section 6.

use std::net::UdpSocket;
use std::time::Duration;

use forebay_trial::patience::until;
use tokio::time::timeout;

use super::client::{
    CONTENT, Client, Ended, GOAWAY, HEADERS, ON, SETTINGS, answer, beside, frame, get, head,
    request, section, shake,
};
use super::origin::Origin;
use crate::support::{PATIENCE, Stage};

const HOST: &str = "a.example";

const STREAM_CREATION_ERROR: u64 = 0x103;
const CLOSED_CRITICAL_STREAM: u64 = 0x104;
const FRAME_UNEXPECTED: u64 = 0x105;
const FRAME_ERROR: u64 = 0x106;
const EXCESSIVE_LOAD: u64 = 0x107;
const ID_ERROR: u64 = 0x108;
const SETTINGS_ERROR: u64 = 0x109;
const MISSING_SETTINGS: u64 = 0x10a;
const REQUEST_INCOMPLETE: u64 = 0x10d;
const MESSAGE_ERROR: u64 = 0x10e;
const QPACK_DECOMPRESSION_FAILED: u64 = 0x200;
const QPACK_ENCODER_STREAM_ERROR: u64 = 0x201;
const QPACK_DECODER_STREAM_ERROR: u64 = 0x202;

async fn stage(lines: &[(&str, &str)]) -> Stage {
    Stage::with(&[&[HOST]], &[&[ON][..], lines].concat()).await
}

/// A GET with further lines.
fn with(more: &[&str]) -> Vec<u8> {
    request("GET", HOST, "/", more)
}

#[tokio::test]
async fn a_malformed_request_ends_its_stream_alone() {
    let stage = stage(&[]).await;
    let client = Client::of(&stage, HOST).await;
    let post = |length: &str| request("POST", HOST, "/", &[&format!("content-length: {length}")]);
    for (bytes, why) in [
        (with(&["a: b\r\nc: d"]), "a line end in a value"),
        (with(&["a\r\nb: c"]), "a line end in a name"),
        (with(&["a: b\0"]), "a NUL"),
        (with(&["A: b"]), "an upper-case name"),
        (with(&["transfer-encoding: chunked"]), "Transfer-Encoding"),
        (with(&["connection: close"]), "Connection"),
        (with(&["upgrade: h2c"]), "Upgrade"),
        (with(&["te: gzip"]), "TE"),
        (with(&["host: b.example"]), "two hosts"),
        (with(&["a: b", ":path: /"]), "a late pseudo-header field"),
        (with(&[":path: /b"]), "two paths"),
        (with(&[":protocol: websocket"]), "extended CONNECT"),
        (with(&["content-length: 1", "content-length: 2"]), "two lengths"),
        (with(&["content-length: 1x"]), "no length"),
        (head(&[":method: GET", ":scheme: https", ":path: /"]), "no host"),
        (head(&[":scheme: https", ":authority: a.example", ":path: /"]), "no method"),
        (head(&[]), "nothing"),
        (
            [with(&["content-length: 0"]), frame(CONTENT, b"a")].concat(),
            "a body of no bytes with some",
        ),
        ([post("5"), frame(CONTENT, b"toolong")].concat(), "a body that is longer"),
        ([post("5"), frame(CONTENT, b"less")].concat(), "a body that is shorter"),
        ([post("1"), frame(CONTENT, b"a"), head(&[":path: /"])].concat(), "a pseudo trailer"),
        ([get(HOST, "/"), head(&["a: b\n"])].concat(), "a line end in a trailer"),
    ] {
        assert_eq!(client.ask(&bytes).await.unwrap_err(), Ended::Reset(MESSAGE_ERROR), "{why}");
    }
    for bytes in [&[][..], &[0x21, 0]] {
        let ended = client.ask(bytes).await.unwrap_err();
        assert_eq!(ended, Ended::Reset(REQUEST_INCOMPLETE));
    }
    assert_eq!(client.get(HOST, "/").await.status(), 200);
    assert_eq!(stage.metric("forebay_panics_total").await, 0);
}

#[tokio::test]
async fn a_request_that_is_not_taken_is_told_why() {
    let lines = [("limits", "head_bytes_max = \"4KiB\""), ("limits", "fields_max = 50")];
    let bounds =
        [("limits", "target_bytes_max = \"1KiB\""), ("limits", "body_bytes_max = \"1KiB\"")];
    let stage = stage(&[lines, bounds].concat()).await;
    let client = Client::of(&stage, HOST).await;
    let many: Vec<String> = (0..60).map(|number| format!("x-{number}: a")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("x: {}", "a".repeat(3000));
    // The longest entry of the static table, again and again: a hundred bytes for each of ours.
    let bomb = [&[0, 0][..], &[0xff, 22].repeat(45), &section(&with_pseudo())[2..]].concat();
    for (bytes, status) in [
        (head(&[":method: CONNECT", ":authority: a.example:443"]), 501),
        (request("TRACE", HOST, "/", &[]), 501),
        (request("GET", HOST, "nowhere", &[]), 400),
        (request("GET", HOST, "/a#b", &[]), 400),
        (request("GET", HOST, "*", &[]), 400),
        (with(&["expect: 200-ok"]), 417),
        (request("GET", HOST, &format!("/{}", "a".repeat(1100)), &[]), 414),
        (with(&many), 431),
        (with(&[&long, &long]), 431),
        (frame(HEADERS, &bomb), 431),
        (frame(HEADERS, &[0; 5000]), 431),
        (request("POST", HOST, "/", &["content-length: 2000"]), 413),
    ] {
        let answer = client.ask(&bytes).await.unwrap_or_else(|ended| panic!("{status}: {ended:?}"));
        assert_eq!(answer.status(), status);
    }
    assert_eq!(client.get(HOST, "/").await.status(), 200);
}

fn with_pseudo() -> [&'static str; 4] {
    [":method: GET", ":scheme: https", ":authority: a.example", ":path: /"]
}

#[tokio::test]
async fn a_request_stream_that_is_none_ends_the_connection() {
    let stage = stage(&[]).await;
    let post = || request("POST", HOST, "/", &[]);
    for (bytes, code) in [
        (frame(CONTENT, b"a"), FRAME_UNEXPECTED),
        (frame(SETTINGS, b""), FRAME_UNEXPECTED),
        (frame(0x5, b"\0"), FRAME_UNEXPECTED),
        (frame(0x2, b""), FRAME_UNEXPECTED),
        (frame(GOAWAY, &[0]), FRAME_UNEXPECTED),
        ([get(HOST, "/"), frame(0x9, b"")].concat(), FRAME_UNEXPECTED),
        ([post(), head(&["a: b"]), frame(CONTENT, b"a")].concat(), FRAME_UNEXPECTED),
        ([post(), head(&["a: b"]), head(&["a: b"])].concat(), FRAME_UNEXPECTED),
        (get(HOST, "/")[..9].to_vec(), FRAME_ERROR),
        (vec![0x40], FRAME_ERROR),
        ([get(HOST, "/"), vec![0]].concat(), FRAME_ERROR),
        ([0x21, 0].repeat(2000), EXCESSIVE_LOAD),
        (frame(HEADERS, b""), QPACK_DECOMPRESSION_FAILED),
        (frame(HEADERS, &[1, 0, 0x80]), QPACK_DECOMPRESSION_FAILED),
        (frame(HEADERS, &[0, 0, 0x10]), QPACK_DECOMPRESSION_FAILED),
        (frame(HEADERS, &[0, 0, 0xff, 0xff, 0xff, 0x7f]), QPACK_DECOMPRESSION_FAILED),
        (
            frame(HEADERS, &[0, 0, 0x51, 0x85, 0xff, 0xff, 0xff, 0xff, 0xff]),
            QPACK_DECOMPRESSION_FAILED,
        ),
    ] {
        let client = Client::of(&stage, HOST).await;
        let _receive = client.send(&bytes).await;
        assert_eq!(client.closed().await, Ended::Closed(code), "{bytes:x?}");
    }
}

#[tokio::test]
async fn streams_beside_requests_are_what_they_say_or_end_the_connection() {
    let stage = stage(&[]).await;
    let control = |frames: &[&[u8]]| [&[0][..], &frame(SETTINGS, b""), &frames.concat()].concat();
    for (bytes, code) in [
        ([&[0][..], &frame(GOAWAY, &[0])].concat(), MISSING_SETTINGS),
        ([&[0][..], &frame(CONTENT, b"")].concat(), MISSING_SETTINGS),
        ([&[0][..], &frame(SETTINGS, &[2, 0])].concat(), SETTINGS_ERROR),
        ([&[0][..], &frame(SETTINGS, &[6, 0, 6, 0])].concat(), SETTINGS_ERROR),
        ([&[0][..], &frame(SETTINGS, &[6])].concat(), FRAME_ERROR),
        (control(&[&frame(SETTINGS, b"")]), FRAME_UNEXPECTED),
        (control(&[&frame(HEADERS, b"")]), FRAME_UNEXPECTED),
        (control(&[&frame(0x6, b"")]), FRAME_UNEXPECTED),
        (control(&[&frame(0x3, &[0])]), ID_ERROR),
        (control(&[&frame(0xd, &[4]), &frame(0xd, &[3])]), ID_ERROR),
        (control(&[&frame(GOAWAY, &[4]), &frame(GOAWAY, &[8])]), ID_ERROR),
        (control(&[&[0x21, 0].repeat(3000)]), EXCESSIVE_LOAD),
        (vec![1, 0], STREAM_CREATION_ERROR),
        (vec![2, 0x3f, 0x21], QPACK_ENCODER_STREAM_ERROR),
        (vec![2, 0xc0], QPACK_ENCODER_STREAM_ERROR),
        (vec![3, 0x81], QPACK_DECODER_STREAM_ERROR),
        (vec![3, 0x01], QPACK_DECODER_STREAM_ERROR),
    ] {
        let (_endpoint, connection) = shake(&stage, HOST).await.unwrap();
        let _stream = beside(&connection, &bytes).await;
        let error = timeout(PATIENCE, connection.closed()).await.expect("it is closed");
        assert_eq!(Ended::from(&error), Ended::Closed(code), "{bytes:x?}");
    }
    // What is not known is not wanted, and does no harm; a stream that is given up is no news.
    let client = Client::of(&stage, HOST).await;
    let unknown = beside(&client.connection, &[0x21, 1, 2, 3]).await;
    let stopped = timeout(PATIENCE, unknown.stopped()).await.expect("it is stopped").unwrap();
    assert_eq!(stopped.map(quinn::VarInt::into_inner), Some(STREAM_CREATION_ERROR));
    let _encoder = beside(&client.connection, &[2]).await;
    let _decoder = beside(&client.connection, &[3, 0x44]).await;
    assert_eq!(client.get(HOST, "/").await.status(), 200);
}

#[tokio::test]
async fn a_critical_stream_is_there_once_and_stays() {
    let stage = stage(&[]).await;
    let client = Client::of(&stage, HOST).await;
    let _second = beside(&client.connection, &[0]).await;
    assert_eq!(client.closed().await, Ended::Closed(STREAM_CREATION_ERROR));
    let mut client = Client::of(&stage, HOST).await;
    client.control.finish().unwrap();
    assert_eq!(client.closed().await, Ended::Closed(CLOSED_CRITICAL_STREAM));
    let mut client = Client::of(&stage, HOST).await;
    // Once it is known which stream it is.
    assert_eq!(client.get(HOST, "/").await.status(), 200);
    client.control.reset(quinn::VarInt::from_u32(0)).unwrap();
    assert_eq!(client.closed().await, Ended::Closed(CLOSED_CRITICAL_STREAM));
    let client = Client::of(&stage, HOST).await;
    let mut own = timeout(PATIENCE, client.connection.accept_uni()).await.unwrap().unwrap();
    own.stop(quinn::VarInt::from_u32(0)).unwrap();
    assert_eq!(client.closed().await, Ended::Closed(CLOSED_CRITICAL_STREAM));
    let client = Client::of(&stage, HOST).await;
    let flood = async {
        while let Ok(mut stream) = client.connection.open_uni().await {
            let _ = stream.write_all(&[0x21]).await;
            let _ = stream.finish();
        }
    };
    timeout(PATIENCE, flood).await.expect("the connection is closed");
    assert_eq!(client.closed().await, Ended::Closed(EXCESSIVE_LOAD));
}

#[tokio::test]
async fn a_flood_of_requests_that_are_given_up_ends_the_connection() {
    let origin = Origin::start().await;
    let route = origin.route();
    let lines = [("limits", "resets_max = 5"), ("limits", "streams_max = 10"), ("route", &*route)];
    let stage = stage(&lines).await;
    let client = Client::of(&stage, HOST).await;
    let flood = async {
        while let Ok((mut send, mut receive)) = client.connection.open_bi().await {
            let _ = send.write_all(&get(HOST, "/held")).await;
            let _ = send.finish();
            let _ = receive.stop(quinn::VarInt::from_u32(0x10c));
        }
    };
    timeout(PATIENCE, flood).await.expect("the connection is closed");
    assert_eq!(client.closed().await, Ended::Closed(EXCESSIVE_LOAD));
    assert_eq!(stage.metric("forebay_h3_floods_total").await, 1);
    origin.held.add_permits(1000);
}

#[tokio::test]
async fn who_is_slow_with_a_request_is_told_so() {
    let lines = [("limits", "head_timeout = \"300ms\""), ("limits", "body_timeout = \"300ms\"")];
    let stage = stage(&lines).await;
    let client = Client::of(&stage, HOST).await;
    // Nothing, half a head, and a head behind which nothing comes.
    for bytes in [&[0x21, 0][..], &get(HOST, "/")[..9], &get(HOST, "/")] {
        let (_send, mut receive) = client.begin(bytes).await;
        assert_eq!(answer(&mut receive).await.unwrap().status(), 408);
    }
    let post = request("POST", HOST, "/", &["content-length: 5"]);
    let (_send, mut receive) = client.begin(&[post, frame(CONTENT, b"a")].concat()).await;
    let slow = answer(&mut receive).await.unwrap().status();
    assert!((400..600).contains(&slow), "{slow}");
    assert_eq!(client.get(HOST, "/").await.status(), 200);
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_given_up() {
    let origin = Origin::start().await;
    let route = origin.route();
    let stage = stage(&[("limits", "send_timeout = \"500ms\""), ("route", &*route)]).await;
    let mut bounds = quinn::TransportConfig::default();
    bounds.stream_receive_window(quinn::VarInt::from_u32(1000));
    let client = Client::with(&stage, HOST, bounds).await;
    let mut receive = client.send(&get(HOST, "/big")).await;
    let stalled = async || stage.metric("forebay_h3_stalls_total").await == 1;
    until("the stall is seen", PATIENCE, stalled).await.unwrap();
    assert_eq!(answer(&mut receive).await.unwrap_err(), Ended::Reset(0x10c));
    assert_eq!(client.get(HOST, "/x").await.status(), 200);
}

#[tokio::test]
async fn streams_and_connections_are_bounded_in_number() {
    let origin = Origin::start().await;
    let route = origin.route();
    let lines = [("limits", "streams_max = 3"), ("limits", "connections_max = 3")];
    let stage = stage(&[&lines[..], &[("route", &*route)]].concat()).await;
    let client = Client::of(&stage, HOST).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(client.send(&get(HOST, "/held")).await);
    }
    let fourth = timeout(Duration::from_millis(300), client.connection.open_bi()).await;
    assert!(fourth.is_err(), "there is a fourth stream");
    origin.held.add_permits(3);
    for mut receive in held {
        answer(&mut receive).await.unwrap();
    }
    assert_eq!(client.get(HOST, "/x").await.status(), 200);
    let second = Client::of(&stage, HOST).await;
    let third = Client::of(&stage, HOST).await;
    let fourth = shake(&stage, HOST).await.map(drop).unwrap_err();
    let quinn::ConnectionError::ConnectionClosed(close) = fourth else { panic!("{fourth}") };
    assert_eq!(close.error_code, quinn::TransportErrorCode::CONNECTION_REFUSED);
    drop((second, third));
    let room = async || shake(&stage, HOST).await.is_ok();
    until("there is room again", PATIENCE, room).await.unwrap();
}

#[tokio::test]
async fn datagrams_that_are_none_do_no_harm() {
    let lines = [("tls", "handshakes_max = 16"), ("tls", "handshake_timeout = \"2s\"")];
    let stage = stage(&lines).await;
    let client = Client::of(&stage, HOST).await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // A first datagram of version 1 has 1200 bytes at least, a number, and what only the key makes.
    let mut initial = vec![0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x96];
    initial.resize(1200, 0xaa);
    let mut unknown = initial.clone();
    unknown[1] = 0xfa;
    for number in 0..2000u32 {
        initial[6..10].copy_from_slice(&number.to_be_bytes());
        for bytes in [&initial[..], &unknown, &initial[..20], &[0x40; 30], &[]] {
            let _ = socket.send_to(bytes, stage.secured);
        }
    }
    assert_eq!(client.get(HOST, "/").await.status(), 200);
    let fresh = async || shake(&stage, HOST).await.is_ok();
    until("a new client is heard", PATIENCE, fresh).await.unwrap();
}
