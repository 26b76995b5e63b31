//! A connection that was secured for one host is not another's.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, NamedGroup, version};

use crate::frames;
use crate::support::{Stage, shake};

#[tokio::test]
async fn a_host_of_another_certificate_is_misdirected() {
    let stage = Stage::start(&[&["a.example", "also-a.example"], &["b.example"]]).await;
    let check = async |host: &str, expected: u16| {
        let answer = stage.ask_as("a.example", host, "/").await;
        assert_eq!(answer.head.status().unwrap(), expected, "{host}");
        let mut stream = stage.secure("a.example", stage.terms(&["h2"])).await.unwrap();
        let block = frames::ask(&mut stream, host).await;
        assert!(frames::is_status(&block, expected), "{host}: {block:x?}");
    };
    check("a.example", 200).await;
    check("also-a.example", 200).await;
    check("A.EXAMPLE:443", 200).await;
    check("b.example", 421).await;
    check("B.example.:8443", 421).await;
    // Nobody else's; where it leads is the routes' to say.
    check("nobodys.example", 200).await;
    assert_eq!(stage.metric("forebay_requests_refused_total{reason=\"misdirected\"}").await, 4);
}

/// Keeps sessions, and gives them to whoever asks, whatever the name.
#[derive(Debug, Default)]
struct Careless {
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<Vec<Tls13ClientSessionValue>>,
}

impl ClientSessionStore for Careless {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        *self.tls12.lock().unwrap() = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().unwrap().clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.tls13.lock().unwrap().push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().unwrap().pop()
    }
}

/// How a handshake went, after an answer: tickets have come by then.
async fn kind(stage: &Stage, host: &str, config: &Arc<ClientConfig>) -> HandshakeKind {
    let mut stream = shake(stage.secured, host, config.clone()).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    stream.get_ref().1.handshake_kind().unwrap()
}

#[tokio::test]
async fn a_session_of_one_host_is_not_resumed_with_another() {
    let stage = Stage::start(&[&["a.example"], &["b.example"]]).await;
    for version in [&version::TLS13, &version::TLS12] {
        let mut config = stage.terms_of(&[], &[version]);
        config.resumption = Resumption::store(Arc::new(Careless::default()));
        let config = Arc::new(config);
        assert_eq!(kind(&stage, "a.example", &config).await, HandshakeKind::Full);
        assert_eq!(kind(&stage, "a.example", &config).await, HandshakeKind::Resumed);
        assert_eq!(kind(&stage, "b.example", &config).await, HandshakeKind::Full, "{version:?}");
    }
}
