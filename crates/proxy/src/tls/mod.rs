//! TLS toward clients: which certificates there are, which is shown to whom, and how they are
//! renewed while clients are served (RFC 8446, RFC 5246, RFC 6066).
//!
//! Not here: sockets, which are `server`'s, and HTTP. `server` hands over a connection just accepted
//! ([`Tls::accept`]) and gets back one that is secured, with what was agreed on.

mod acme;
mod borrowed;
mod certificate;
mod handshake;
mod names;
#[cfg(feature = "http3")]
mod quic;
mod shelf;
mod stats;
mod validity;
mod watch;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use tokio::sync::Semaphore;

use crate::config::TlsSettings;

pub use acme::StoreError;
pub use certificate::{Certificate, CertificateError};
pub use handshake::{Agreed, Party, Secured};
#[cfg(feature = "http3")]
pub use quic::HandshakePlace;
pub use stats::{HandshakeEnd, TlsStats};
pub use validity::Validity;

use self::acme::Challenges;
use self::borrowed::Borrowed;
use self::shelf::Shelf;

/// TLS toward the clients of one process.
pub struct Tls {
    settings: TlsSettings,
    shelf: Shelf,
    borrowed: Borrowed,
    stats: TlsStats,
    /// What authorities are shown.
    challenges: Challenges,
    /// Handshakes that may be under way.
    places: Arc<Semaphore>,
    /// What clients are told of HTTP/3 while it is spoken.
    alternative: ArcSwapOption<HeaderValue>,
}

impl Tls {
    /// Reads all certificates, or says which cannot be shown and why.
    pub fn open(settings: &TlsSettings) -> Result<Arc<Tls>, CertificateError> {
        let places = Arc::new(Semaphore::new(settings.handshakes_max));
        let shelf = Shelf::open(settings)?;
        Ok(Arc::new(Tls {
            settings: settings.clone(),
            shelf,
            borrowed: Borrowed::default(),
            stats: TlsStats::default(),
            challenges: Challenges::default(),
            places,
            alternative: ArcSwapOption::empty(),
        }))
    }

    /// What it has counted.
    pub fn stats(&self) -> &TlsStats {
        &self.stats
    }

    /// What clients are told of another way to ask the same (RFC 7838), if there is one now.
    pub fn alternative(&self) -> Option<HeaderValue> {
        self.alternative.load().as_deref().cloned()
    }

    /// What an authority is told that looks under this token whether a host leads here (RFC 8555
    /// section 8.3).
    pub fn challenge(&self, token: &str) -> Option<String> {
        self.challenges.text(token)
    }

    /// Each certificate's first host, and when it ceases to hold in seconds since 1970.
    pub fn ends(&self) -> Vec<(String, u64)> {
        self.shelf.ends()
    }
}
