//! TLS toward clients: which certificates there are, which is shown to whom, and how they are
//! renewed while clients are served (RFC 8446, RFC 5246, RFC 6066).
//!
//! Not here: sockets, which are `server`'s, and HTTP. `server` hands over a connection just accepted
//! ([`Tls::accept`]) and gets back one that is secured, with what was agreed on.

mod acme;
mod borrowed;
mod certificate;
mod der;
mod handshake;
mod names;
#[cfg(feature = "http3")]
mod quic;
mod shelf;
mod staple;
mod stats;
mod validity;
mod watch;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::config::{Switch, TlsSettings};

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

/// TLS toward the clients of one process, as one configuration wants it.
pub struct Tls {
    settings: TlsSettings,
    shelf: Shelf,
    borrowed: Arc<Borrowed>,
    stats: Arc<TlsStats>,
    /// What authorities are shown.
    challenges: Arc<Challenges>,
    /// Handshakes that may be under way.
    places: Arc<Semaphore>,
    /// Who looks after the certificates.
    keepers: Mutex<Vec<AbortHandle>>,
    /// What clients are told of HTTP/3 while it is spoken.
    alternative: ArcSwapOption<HeaderValue>,
}

impl Tls {
    /// Reads all certificates, or says which cannot be shown and why.
    pub fn open(settings: &TlsSettings) -> Result<Arc<Tls>, CertificateError> {
        let shelf = Shelf::open(settings)?;
        Ok(Arc::new(Tls {
            settings: settings.clone(),
            shelf,
            borrowed: Arc::default(),
            stats: Arc::default(),
            challenges: Arc::default(),
            places: Arc::new(Semaphore::new(settings.handshakes_max)),
            keepers: Mutex::default(),
            alternative: ArcSwapOption::empty(),
        }))
    }

    /// The TLS of other settings in the place of this one, or which certificate cannot be shown and
    /// why. Certificates of which nothing else is said stay the same ones, with their sessions; what
    /// was counted goes on.
    pub fn succeeded_by(
        self: &Arc<Tls>,
        settings: &TlsSettings,
    ) -> Result<Arc<Tls>, CertificateError> {
        if *settings == self.settings {
            self.look_again();
            return Ok(Arc::clone(self));
        }
        let before = &self.settings;
        let is_read_alike = before.min_version == settings.min_version;
        let borrowed = match (before.redis, settings.redis) {
            (Switch::On, Switch::On) if is_read_alike => Arc::clone(&self.borrowed),
            (Switch::On | Switch::Off, Switch::On | Switch::Off) => Arc::default(),
        };
        // Otherwise those under way, by the old bound, are beside those of the new one.
        let places = match before.handshakes_max == settings.handshakes_max {
            true => Arc::clone(&self.places),
            false => Arc::new(Semaphore::new(settings.handshakes_max)),
        };
        let next = Arc::new(Tls {
            settings: settings.clone(),
            shelf: self.shelf.succeeded_by(before, settings)?,
            borrowed,
            stats: Arc::clone(&self.stats),
            challenges: Arc::clone(&self.challenges),
            places,
            keepers: Mutex::default(),
            alternative: ArcSwapOption::empty(),
        });
        next.look_again();
        Ok(next)
    }

    /// Looks after its certificates from now on, unless it does already: takes files that have
    /// changed, asks authorities. To be called within a runtime.
    pub fn keep(self: &Arc<Tls>) {
        let mut keepers = self.keepers.lock();
        if keepers.is_empty() {
            let watching = tokio::spawn(Arc::clone(self).watch());
            let asking = tokio::spawn(Arc::clone(self).keep_given());
            *keepers = vec![watching.abort_handle(), asking.abort_handle()];
        }
    }

    /// Looks after them no more: another is in its place. Connections that it has secured go on.
    pub fn retire(&self) {
        self.keepers.lock().drain(..).for_each(|keeper| keeper.abort());
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

    /// The same of what is stapled to certificates.
    pub fn staple_ends(&self) -> Vec<(String, u64)> {
        self.shelf.staple_ends()
    }

    /// Why nothing is stapled to certificates where something was to be.
    pub fn unstapled(&self) -> Vec<String> {
        self.shelf.unstapled()
    }
}
