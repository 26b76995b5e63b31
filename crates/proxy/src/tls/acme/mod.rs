//! Certificates that an authority gives by itself (RFC 8555): asked for at the start, kept on disk,
//! and renewed before they cease to hold.
//!
//! `timing` says when, pure; `order` is one certificate from the first word to the last; `web` is how
//! the authority is spoken to; `store` is the disk; `challenge` is what is shown to the authority when
//! it looks whether a host leads here.

mod challenge;
mod order;
mod store;
mod timing;
mod web;

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::{sleep, timeout};

pub(super) use challenge::{Challenges, PROTOCOL};
pub use store::StoreError;
pub(super) use store::{Store, pattern};

use self::order::Failure;
use self::timing::{GIVEN_LEAST, LOOK_MAX, ORDER_LIMIT};
use super::stats::count;
use super::{Certificate, Tls};
use crate::config::AcmeSettings;

/// A host whose certificate is asked for.
struct Wanted {
    host: String,
    /// Tries that failed since the last that did not.
    failures: u32,
    /// When the next is due.
    due: SystemTime,
}

impl Tls {
    /// Makes ready to keep what an authority gives, or says why that cannot be kept.
    pub fn open_store(&self) -> Result<(), StoreError> {
        self.settings.acme.as_ref().map_or(Ok(()), |acme| Store::of(acme).make_ready())
    }

    /// Asks for certificates and renews them, for ever. To be spawned.
    pub(in crate::tls) async fn keep_given(self: Arc<Tls>) {
        let Some(settings) = self.settings.acme.clone() else { return };
        let wanted = |host: &String| {
            let given = self.shelf.given(host);
            let due = given.map_or(SystemTime::UNIX_EPOCH, |one| renewal(&one));
            Wanted { host: host.clone(), failures: 0, due }
        };
        let mut all: Vec<Wanted> = settings.hosts.iter().map(wanted).collect();
        loop {
            for one in &mut all {
                if one.due <= SystemTime::now() {
                    self.renew(&settings, one).await;
                }
            }
            let next = all.iter().map(|one| one.due).min().unwrap_or(SystemTime::UNIX_EPOCH);
            let pause = next.duration_since(SystemTime::now()).unwrap_or_default();
            sleep(pause.min(LOOK_MAX)).await;
        }
    }

    /// Asks for one certificate. What fails leaves the one that there is.
    async fn renew(&self, settings: &AcmeSettings, wanted: &mut Wanted) {
        let made = timeout(ORDER_LIMIT, self.order(settings, &wanted.host)).await;
        let made = made.unwrap_or_else(|_| Err(Failure::new("it took too long")));
        match made {
            Ok(certificate) => {
                count(&self.stats.acme_issued);
                tracing::info!("`{}` has a new certificate", wanted.host);
                let soonest = SystemTime::now() + GIVEN_LEAST;
                (wanted.failures, wanted.due) = (0, renewal(&certificate).max(soonest));
            }
            Err(failure) => {
                count(&self.stats.acme_failed);
                let pause = timing::pause(wanted.failures, rand::random());
                let (host, directory) = (&wanted.host, &settings.directory);
                let seconds = pause.as_secs();
                tracing::error!(
                    "cannot get a certificate for `{host}` from {directory}: {failure}; \
                     tries again in {seconds} s"
                );
                wanted.failures = wanted.failures.saturating_add(1);
                wanted.due = SystemTime::now() + pause;
            }
        }
    }

    async fn order(
        &self,
        settings: &AcmeSettings,
        host: &str,
    ) -> Result<Arc<Certificate>, Failure> {
        let store = Store::of(settings);
        let account = order::account(settings, &store).await?;
        let texts = order::certificate(&account, settings, host, &self.challenges).await?;
        let path = store.path(host).display().to_string();
        let least = self.settings.min_version;
        let certificate = Certificate::of(&path, &texts, &pattern(host), least)?;
        store.keep_certificate(host, &texts)?;
        let certificate = Arc::new(certificate);
        self.shelf.give(host, certificate.clone());
        Ok(certificate)
    }
}

/// When a certificate is to be renewed. One that does not say when it holds is renewed soon.
fn renewal(certificate: &Certificate) -> SystemTime {
    let due = |validity| timing::renewal(validity, rand::random());
    certificate.validity.map_or(SystemTime::UNIX_EPOCH, due)
}
