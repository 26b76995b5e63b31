//! The PROXY protocol: demanded of listed peers, refused from others.

use forebay_trial::patience::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::support::{PATIENCE, Stage};

const LISTED: (&str, &str) = ("proxy_protocol", "peers = [\"127.0.0.0/8\"]");
const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.2 5000 443\r\n";
const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Version 2 with an address of version 6 and something more behind it.
fn binary() -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x29".to_vec();
    bytes.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    bytes.extend([0; 16]);
    bytes.extend([0x13, 0x88, 1, 0xbb]);
    bytes.extend([4, 0, 2, 0, 0]);
    bytes
}

async fn talk(stage: &Stage, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(stage.gateway.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_client_is_who_the_peer_speaks_for() {
    let trusted = ("gateway", "trusted_peers = [\"192.0.2.0/24\"]");
    let stage = Stage::with(&[&["a.example"]], &[LISTED, trusted]).await;
    let answer = talk(&stage, &[LINE, REQUEST].concat()).await.to_ascii_lowercase();
    assert!(answer.contains("x-forwarded-for: 192.0.2.7\r\n"), "{answer}");
    let named =
        b"GET /y HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\nConnection: close\r\n\r\n";
    let answer = talk(&stage, &[LINE, named].concat()).await.to_ascii_lowercase();
    assert!(answer.contains("x-forwarded-for: 198.51.100.1, 192.0.2.7\r\n"), "{answer}");
    let six = b"GET /z HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = talk(&stage, &[&binary(), &six[..]].concat()).await.to_ascii_lowercase();
    assert!(answer.contains("x-forwarded-for: 2001:db8::7\r\n"), "{answer}");
    let logged = async || stage.words().contains("192.0.2.7:5000");
    until("the log says it", PATIENCE, logged).await.unwrap();
}

#[tokio::test]
async fn tls_begins_behind_the_header() {
    let stage = Stage::with(&[&["a.example"]], &[LISTED]).await;
    for header in [LINE.to_vec(), binary()] {
        let mut stream = TcpStream::connect(stage.secured).await.unwrap();
        stream.write_all(&header).await.unwrap();
        let connector = TlsConnector::from(std::sync::Arc::new(stage.terms(&[])));
        let name = ServerName::try_from("a.example").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200") && answer.contains("proto=https"), "{answer}");
    }
}

#[tokio::test]
async fn a_listed_peer_without_a_sound_header_is_refused() {
    let stage =
        Stage::with(&[&["a.example"]], &[LISTED, ("proxy_protocol", "timeout = \"500ms\"")]);
    let stage = stage.await;
    for bytes in [
        REQUEST,
        &[&b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"[..], REQUEST].concat(),
        &[&b"PROXY UNKNOWN "[..], &[b'x'; 200][..]].concat(),
        b"PROXY TCP4 1.2.3.4",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x21",
        b"",
    ] {
        let answer = talk(&stage, bytes).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{}: {answer}", bytes.escape_ascii());
    }
    let refused = stage.metric("forebay_requests_refused_total{reason=\"proxy_header\"}").await;
    assert_eq!(refused, 7);
}

#[tokio::test]
async fn nobody_else_may_speak_for_others() {
    let others = ("proxy_protocol", "peers = [\"192.0.2.1\"]");
    let stage = Stage::with(&[&["a.example"]], &[others]).await;
    for header in [LINE.to_vec(), binary()] {
        let answer = talk(&stage, &[&header, REQUEST].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(!answer.contains("192.0.2.7"), "{answer}");
    }
    assert!(talk(&stage, REQUEST).await.starts_with("HTTP/1.1 200 "));
}
