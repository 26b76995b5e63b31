//! From a connection just accepted to one that is secured, within a time and a number of places.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::ServerConfig;
use rustls::server::{Accepted, AcceptedAlert, Acceptor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use super::stats::{HandshakeEnd, count};
use super::{Certificate, Tls, acme};
use crate::answer::Duplex;

/// Bytes of a ClientHello, its records included; a real one has less than two KiB.
const HELLO_BYTES_MAX: usize = 64 * 1024;

/// Room for each read of it.
const READ_BYTES: usize = 4 * 1024;

/// The first byte of a record that is part of a handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

/// A fatal alert `unrecognized_name` in a record of its own (RFC 6066 section 3).
const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 112];

/// What a client is told that speaks HTTP without TLS.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 74\r\n\
    Connection: close\r\n\r\n\
    400 Bad Request: this port speaks TLS; write https:// in place of http://\n";

/// A connection that is secured.
pub struct Secured<IO> {
    /// It.
    pub stream: Box<TlsStream<IO>>,
    /// What is spoken on it.
    pub agreed: Agreed,
    /// For whom it was secured.
    pub party: Party,
}

/// The version of HTTP that both sides agreed on (RFC 7301). Without an agreement it is HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// For which host a connection was secured, and what else may be asked for on it.
#[derive(Clone)]
pub struct Party {
    tls: Arc<Tls>,
    certificate: Arc<Certificate>,
    asked: Option<String>,
}

impl Party {
    #[cfg(feature = "http3")]
    pub(super) fn new(
        tls: &Arc<Tls>,
        certificate: Arc<Certificate>,
        asked: Option<String>,
    ) -> Self {
        Party { tls: Arc::clone(tls), certificate, asked }
    }

    /// Whether this host may be asked for here (RFC 9110 section 7.4): not one that another
    /// certificate is for. `host` is in lower case, without port and trailing dot.
    pub fn may_ask(&self, host: &str) -> bool {
        self.asked.as_deref() == Some(host)
            || self.certificate.covers(host)
            || !(self.tls.shelf.names(host) || self.tls.borrowed.names(host))
    }
}

impl Tls {
    /// Secures a connection of which some bytes may have been read; `None` when that cannot be, and
    /// the client has been told why.
    pub async fn accept<IO: Duplex>(
        self: &Arc<Tls>,
        mut io: IO,
        read: BytesMut,
    ) -> Option<Secured<IO>> {
        let until = Instant::now() + self.settings.handshake_timeout;
        let shaken = timeout_at(until, async {
            // Nobody closes it.
            let _place = self.places.acquire().await.map_err(|_| HandshakeEnd::Late)?;
            let _open = Open::new(self);
            let accepted = hello(&mut io, read).await?;
            self.shake(io, accepted).await
        });
        let shaken = shaken.await.unwrap_or(Err(HandshakeEnd::Late));
        let end = shaken.as_ref().err().copied().unwrap_or(HandshakeEnd::Done);
        self.stats.count_end(end);
        shaken.ok()
    }

    async fn shake<IO: Duplex>(
        self: &Arc<Tls>,
        mut io: IO,
        accepted: Accepted,
    ) -> Result<Secured<IO>, HandshakeEnd> {
        let asked = accepted.client_hello().server_name().map(host_of);
        if let Some(config) = self.challenged(&accepted, asked.as_deref()) {
            let stream = StartHandshake::from_parts(accepted, io).into_stream(config).await;
            // Nothing is said behind such a handshake (RFC 8737 section 3).
            let _ = stream.map_err(end_of)?.shutdown().await;
            return Err(HandshakeEnd::Challenge);
        }
        let Some(certificate) = self.certificate_for(asked.as_deref()).await else {
            let _ = io.write_all(&UNRECOGNIZED_NAME).await;
            let _ = io.shutdown().await;
            return Err(HandshakeEnd::UnknownHost);
        };
        let start = StartHandshake::from_parts(accepted, io);
        let stream = start.into_stream(certificate.config.clone()).await.map_err(end_of)?;
        let session = stream.get_ref().1;
        let agreed = match session.alpn_protocol() {
            Some(b"h2") => Agreed::Http2,
            Some(_) | None => Agreed::Http1,
        };
        if session.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
            count(&self.stats.resumed);
        }
        let party = Party { tls: Arc::clone(self), certificate, asked };
        Ok(Secured { stream: Box::new(stream), agreed, party })
    }
}

impl Tls {
    /// How an authority is answered that looks whether a host leads here: it offers one protocol and
    /// no other (RFC 8737 section 3).
    fn challenged(&self, accepted: &Accepted, asked: Option<&str>) -> Option<Arc<ServerConfig>> {
        let hello = accepted.client_hello();
        let mut offered = hello.alpn()?;
        let is_asked = offered.next() == Some(acme::PROTOCOL) && offered.next().is_none();
        asked.filter(|_| is_asked).and_then(|host| self.challenges.certificate(host))
    }
}

impl Tls {
    /// The certificate for a client that asks for this host, or for none.
    async fn certificate_for(self: &Arc<Tls>, host: Option<&str>) -> Option<Arc<Certificate>> {
        let Some(host) = host else { return self.shelf.first() };
        if let Some(certificate) = self.shelf.find(host) {
            return Some(certificate);
        }
        self.borrowed(host).await.or_else(|| self.shelf.default())
    }
}

/// A name as certificates are found by; rustls has refused what is no name.
pub(super) fn host_of(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Reads a ClientHello. What is none is answered here.
async fn hello<IO: Duplex>(io: &mut IO, mut read: BytesMut) -> Result<Accepted, HandshakeEnd> {
    let mut acceptor = Acceptor::default();
    let mut bytes_left = HELLO_BYTES_MAX;
    loop {
        if read.is_empty() {
            read.reserve(READ_BYTES);
            match io.read_buf(&mut read).await {
                Ok(0) | Err(_) => return Err(HandshakeEnd::Gone),
                Ok(_) => {}
            }
        }
        if bytes_left == HELLO_BYTES_MAX && read[0] != HANDSHAKE {
            return Err(refuse_plain(io, read[0]).await);
        }
        let Some(left) = bytes_left.checked_sub(read.len()) else {
            return Err(HandshakeEnd::Refused);
        };
        bytes_left = left;
        let mut bytes = &read[..];
        while !bytes.is_empty() {
            if acceptor.read_tls(&mut bytes).is_err() {
                return Err(HandshakeEnd::Refused);
            }
        }
        read.clear();
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((_, alert)) => return Err(alarm(io, alert).await),
        }
    }
}

/// Says what is wrong to who speaks HTTP; to others nothing is said, for nobody knows their words.
async fn refuse_plain<IO: Duplex>(io: &mut IO, first: u8) -> HandshakeEnd {
    // Every method that there is begins with a capital letter.
    if !first.is_ascii_uppercase() {
        return HandshakeEnd::Refused;
    }
    let _ = io.write_all(PLAIN_HTTP).await;
    let _ = io.shutdown().await;
    drain(io).await;
    HandshakeEnd::PlainHttp
}

/// Reads what the client still sends, so that our close does not become a reset that takes the
/// answer from it (RFC 9112 section 9.6); bounded by the handshake's time.
async fn drain<IO: Duplex>(io: &mut IO) {
    let mut rest = [0; READ_BYTES];
    let mut bytes_left = HELLO_BYTES_MAX;
    while let Ok(count) = io.read(&mut rest).await {
        bytes_left = bytes_left.saturating_sub(count);
        if count == 0 || bytes_left == 0 {
            return;
        }
    }
}

/// Sends an alert, as far as the client takes it.
async fn alarm<IO: Duplex>(io: &mut IO, mut alert: AcceptedAlert) -> HandshakeEnd {
    let mut bytes = Vec::new();
    if alert.write_all(&mut bytes).is_ok() {
        let _ = io.write_all(&bytes).await;
        let _ = io.shutdown().await;
    }
    HandshakeEnd::Refused
}

/// A client that left, or one with whom nothing could be agreed.
fn end_of(error: io::Error) -> HandshakeEnd {
    match error.kind() {
        io::ErrorKind::InvalidData => HandshakeEnd::Refused,
        _ => HandshakeEnd::Gone,
    }
}

/// A handshake under way, as long as this is there.
pub(super) struct Open(Arc<Tls>);

impl Open {
    pub(super) fn new(tls: &Arc<Tls>) -> Self {
        count(&tls.stats.handshakes_open);
        Open(Arc::clone(tls))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.stats.handshakes_open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}
