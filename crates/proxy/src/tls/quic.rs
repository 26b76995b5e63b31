//! TLS as QUIC carries it (RFC 9001): the same certificates, shown without a wait.
//!
//! QUIC decides on a certificate at once, so that a host that only Redis knows is looked up behind the
//! first handshake for it, which fails: clients come by TCP first, where the look-up is waited for.
//! No session is ever gone on with. Without early data, which is not taken, that saves no round trip.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio::sync::OwnedSemaphorePermit;

use super::borrowed::AtOnce;
use super::handshake::{Open, host_of};
use super::stats::HandshakeEnd;
use super::{Certificate, Party, Tls};
use crate::config::Switch;

/// What is spoken, and nothing else (RFC 9114 section 3.1).
const PROTOCOL: &[u8] = b"h3";

/// How long a client may remember that HTTP/3 is spoken here, in seconds.
const REMEMBERED: u32 = 86_400;

/// A place among the handshakes under way; dropping it gives it back.
pub struct HandshakePlace {
    tls: Arc<Tls>,
    _place: OwnedSemaphorePermit,
    _open: Open,
}

impl HandshakePlace {
    /// How many others there are.
    pub fn others(&self) -> usize {
        let free = self.tls.places.available_permits();
        self.tls.settings.handshakes_max.saturating_sub(free + 1)
    }
}

impl Tls {
    /// Whether QUIC is to be accepted where it is spoken.
    pub fn wants_quic(&self) -> bool {
        self.settings.http3 == Switch::On
    }

    /// A TLS for QUIC that shows all certificates that there are at each moment.
    pub fn quic_config(self: &Arc<Tls>) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(self.clone())));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }

    /// A place for one more handshake, if there is one now.
    pub fn enter_handshake(self: &Arc<Tls>) -> Option<HandshakePlace> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        Some(HandshakePlace { tls: self.clone(), _place: place, _open: Open::new(self) })
    }

    /// How many there are.
    pub fn handshakes_max(&self) -> usize {
        self.settings.handshakes_max
    }

    /// How long one may take.
    pub fn handshake_timeout(&self) -> Duration {
        self.settings.handshake_timeout
    }

    /// Counts one that has ended.
    pub fn count_handshake(&self, end: HandshakeEnd) {
        self.stats.count_end(end);
    }

    /// For whom a connection was secured whose client has asked for this host.
    pub fn quic_party(self: &Arc<Tls>, asked: Option<&str>) -> Option<Party> {
        let asked = asked.map(host_of);
        let certificate = self.certificate_now(asked.as_deref())?;
        Some(Party::new(self, certificate, asked))
    }

    /// From now on clients that come by TCP are told that HTTP/3 is spoken at this port, or at the one
    /// that the configuration names.
    pub fn say_quic(&self, port: u16) {
        let port = self.settings.http3_port.unwrap_or(port);
        let value = format!("h3=\":{port}\"; ma={REMEMBERED}");
        self.alternative.store(HeaderValue::try_from(value).ok().map(Arc::new));
    }

    /// From now on they are told no more.
    pub fn take_back_quic(&self) {
        self.alternative.store(None);
    }

    fn certificate_now(self: &Arc<Tls>, host: Option<&str>) -> Option<Arc<Certificate>> {
        let Some(host) = host else { return self.shelf.first() };
        if let Some(certificate) = self.shelf.find(host) {
            return Some(certificate);
        }
        match self.borrowed_now(host) {
            AtOnce::Certificate(certificate) => Some(certificate),
            AtOnce::Nothing => self.shelf.default(),
            AtOnce::NotYet => None,
        }
    }
}

/// All certificates, each to who asks for it.
struct Shown(Arc<Tls>);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the certificates that there are")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().map(host_of);
        let certificate = self.0.certificate_now(asked.as_deref())?;
        Some(certificate.key.clone())
    }
}
