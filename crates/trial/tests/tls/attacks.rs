//! Clients that do not mean well, where TLS is spoken.

use forebay_trial::patience::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{PATIENCE, Stage};

/// Connections that say nothing, or half of what they should.
const MANY: usize = 600;

const ALERT: u8 = 0x15;

/// All that comes back for these bytes until the gateway closes, which it must do by itself.
async fn until_closed(stage: &Stage, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(stage.secured).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    answer
}

/// A ClientHello of this version, with one suite and no extension.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

#[tokio::test]
async fn tls_1_1_and_older_are_refused() {
    let stage = Stage::start(&[&["a.example"]]).await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        let answer = until_closed(&stage, &hello(version)).await;
        assert_eq!(answer.first(), Some(&ALERT), "{version:?}: {answer:x?}");
        assert_eq!(answer.len(), 7, "{version:?}: an alert and no more: {answer:x?}");
    }
}

#[tokio::test]
async fn http_in_the_clear_is_told_that_this_is_tls() {
    let stage = Stage::start(&[&["a.example"]]).await;
    let answer = until_closed(&stage, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{answer}");
}

#[tokio::test]
async fn garbage_in_place_of_a_hello_is_closed_on() {
    let stage = Stage::with(&[&["a.example"]], &[("tls", "handshake_timeout = \"2s\"")]).await;
    let nines = [&[0x16, 3, 1, 0x40, 0][..], &[9; 0x4000]].concat();
    let endless = [&[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 0x3ffc]].concat();
    for bytes in [
        &b"\0\0\0\0"[..],
        b"\x80\x2e\x01\x03\x01",
        &[0x16, 3, 1, 0, 0],
        &[0x16, 3, 1, 0xff, 0xff],
        &nines,
        &endless.repeat(8),
        &[0x15, 3, 3, 0, 2, 1, 0],
        b"\r\n\r\n",
    ] {
        let answer = until_closed(&stage, bytes).await;
        assert!(answer.is_empty() || answer[0] == ALERT, "{answer:x?}");
    }
    assert_eq!(stage.get("a.example", "/").await.head.status().unwrap(), 200);
    assert!(!stage.words().contains("panicked"), "{}", stage.words());
}

#[tokio::test]
async fn a_slow_handshake_ends_in_its_time() {
    let stage = Stage::with(&[&["a.example"]], &[("tls", "handshake_timeout = \"500ms\"")]).await;
    let mut slow = TcpStream::connect(stage.secured).await.unwrap();
    let drip = async {
        for byte in hello([3, 3]).iter().cycle() {
            if slow.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, drip).await.expect("it is closed");
    let late = async || stage.metric("forebay_tls_handshakes_total{end=\"late\"}").await == 1;
    until("it is counted", PATIENCE, late).await.unwrap();
}

#[tokio::test]
async fn half_open_handshakes_are_bounded_and_keep_nobody_out_for_good() {
    let bounds = [("tls", "handshake_timeout = \"2s\""), ("tls", "handshakes_max = 16")];
    let stage = Stage::with(&[&["a.example"]], &bounds).await;
    let mut open = Vec::new();
    for _ in 0..MANY {
        let mut stream = TcpStream::connect(stage.secured).await.unwrap();
        stream.write_all(&hello([3, 3])[..20]).await.unwrap();
        open.push(stream);
    }
    assert!(stage.metric("forebay_tls_handshakes").await <= 16);
    let served = async || {
        let stream = stage.secure("a.example", stage.terms(&[])).await;
        assert!(stage.metric("forebay_tls_handshakes").await <= 16);
        stream.is_ok()
    };
    until("somebody who means well is served", PATIENCE, served).await.unwrap();
    for mut stream in open {
        let mut rest = [0; 64];
        while timeout(PATIENCE, stream.read(&mut rest))
            .await
            .expect("it is closed")
            .is_ok_and(|n| n > 0)
        {}
    }
}

#[tokio::test]
async fn http2_that_was_not_agreed_on_is_not_spoken() {
    let stage = Stage::start(&[&["a.example"]]).await;
    for offered in [&["http/1.1"][..], &[]] {
        let mut stream = stage.secure("a.example", stage.terms(offered)).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 505 ") || answer.starts_with("HTTP/1.1 400 "),
            "{answer}"
        );
    }
    // And the other way round: whoever agreed on HTTP/2 is not answered as HTTP/1.
    let mut stream = stage.secure("a.example", stage.terms(&["h2"])).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(!answer.starts_with(b"HTTP/1"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_client_with_as_many_connections_as_it_may_have_gets_no_further_handshake() {
    let lines = [("limits", "connections_per_address_max = 2")];
    let stage = Stage::with(&[&["a.example"]], &lines).await;
    let (_one, two) = (stage.client("a.example").await, stage.client("a.example").await);
    assert!(stage.secure("a.example", stage.terms(&[])).await.is_err());
    assert_eq!(stage.metric("forebay_tls_handshakes_total{end=\"done\"}").await, 2);
    drop(two);
    let room = async || stage.secure("a.example", stage.terms(&[])).await.is_ok();
    until("the place is given back", PATIENCE, room).await.unwrap();
}
