//! Certificates that lie in Redis: looked up when a host is first asked for, kept for an interval,
//! and read again behind the handshakes of a host that is known.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forebay_cache::redis::{Command, Link, Reply};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Tls;
use super::acme::pattern;
use super::certificate::{Certificate, Texts};
use super::stats::count;
use crate::config::HostPattern;
use crate::route::rate::Rate;

/// Hosts that are known, with a certificate or without; beyond it the oldest is forgotten.
const KNOWN_MAX: usize = 10_000;

/// Questions for hosts that are not known, a second: who asks for made-up names burdens Redis no more.
const LOOKUPS_PER_SECOND: usize = 200;

/// Bytes of a certificate and its key.
const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Where certificates are looked up.
#[derive(Default)]
pub(super) struct Borrowed {
    source: OnceLock<Source>,
    known: Mutex<Known>,
}

struct Source {
    link: Arc<Link>,
    prefix: String,
    begun: Instant,
}

struct Known {
    hosts: HashMap<String, Entry>,
    /// In the order in which they became known.
    order: VecDeque<String>,
    rate: Rate,
}

impl Default for Known {
    fn default() -> Self {
        Known { hosts: HashMap::new(), order: VecDeque::new(), rate: Rate::new(LOOKUPS_PER_SECOND) }
    }
}

#[derive(Clone)]
struct Entry {
    /// The value and the certificate that it means, or that there is none.
    found: Option<(Arc<Vec<u8>>, Arc<Certificate>)>,
    read: Instant,
    reading: Reading,
}

/// Whether somebody reads a host's value again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Nobody,
    Somebody,
}

/// What is known of a host.
enum Standing {
    /// This counts.
    Settled(Option<Arc<Certificate>>),
    /// This counts, and whoever hears it reads the value again.
    Due(Arc<Certificate>),
    /// Redis has to be asked first.
    Unknown,
    /// It has to be, and may not now.
    Limited,
}

/// What is known of a host at once.
#[cfg(feature = "http3")]
pub(super) enum AtOnce {
    /// It has this one.
    Certificate(Arc<Certificate>),
    /// It has none.
    Nothing,
    /// It is being asked for.
    NotYet,
}

impl Borrowed {
    /// Whether a host is known to have a certificate there.
    pub(super) fn names(&self, host: &str) -> bool {
        self.known.lock().hosts.get(host).is_some_and(|entry| entry.found.is_some())
    }

    fn standing(&self, source: &Source, host: &str, interval: Duration) -> Standing {
        let (now, mut known) = (Instant::now(), self.known.lock());
        if let Some(entry) = known.hosts.get_mut(host) {
            let certificate = entry.found.as_ref().map(|(_, certificate)| certificate.clone());
            let is_settled = now.duration_since(entry.read) < interval;
            match certificate {
                Some(certificate) if !is_settled && entry.reading == Reading::Nobody => {
                    entry.reading = Reading::Somebody;
                    return Standing::Due(certificate);
                }
                Some(certificate) => return Standing::Settled(Some(certificate)),
                None if is_settled => return Standing::Settled(None),
                None => {}
            }
        }
        match known.rate.take(now.duration_since(source.begun)) {
            true => Standing::Unknown,
            false => Standing::Limited,
        }
    }

    fn value(&self, host: &str) -> Option<(Arc<Vec<u8>>, Arc<Certificate>)> {
        self.known.lock().hosts.get(host)?.found.clone()
    }

    fn note(&self, host: &str, found: Option<(Arc<Vec<u8>>, Arc<Certificate>)>) {
        let entry = Entry { found, read: Instant::now(), reading: Reading::Nobody };
        let mut known = self.known.lock();
        if known.hosts.insert(host.to_owned(), entry).is_none() {
            known.order.push_back(host.to_owned());
        }
        while known.hosts.len() > KNOWN_MAX {
            let Some(oldest) = known.order.pop_front() else { return };
            known.hosts.remove(&oldest);
        }
    }
}

impl Tls {
    /// From now on certificates are looked up there as well, under this prefix.
    pub fn borrow_from(&self, link: Arc<Link>, prefix: &str) {
        let source = Source { link, prefix: prefix.to_owned(), begun: Instant::now() };
        // Said once.
        let _ = self.borrowed.source.set(source);
    }

    /// The certificate that Redis has for a host. Only a host that is not known waits.
    pub(super) async fn borrowed(self: &Arc<Tls>, host: &str) -> Option<Arc<Certificate>> {
        let source = self.borrowed.source.get()?;
        match self.borrowed.standing(source, host, self.settings.redis_interval) {
            Standing::Settled(certificate) => certificate,
            Standing::Due(certificate) => {
                let (own, host) = (Arc::clone(self), host.to_owned());
                tokio::spawn(async move { own.read_borrowed(&host).await });
                Some(certificate)
            }
            Standing::Limited => None,
            Standing::Unknown => self.read_borrowed(host).await,
        }
    }

    /// The same without a wait: a host that is not known is asked for behind.
    #[cfg(feature = "http3")]
    pub(super) fn borrowed_now(self: &Arc<Tls>, host: &str) -> AtOnce {
        let Some(source) = self.borrowed.source.get() else { return AtOnce::Nothing };
        let standing = self.borrowed.standing(source, host, self.settings.redis_interval);
        match &standing {
            Standing::Settled(_) | Standing::Limited => {}
            Standing::Due(_) | Standing::Unknown => {
                let (own, host) = (Arc::clone(self), host.to_owned());
                tokio::spawn(async move { own.read_borrowed(&host).await });
            }
        }
        match standing {
            Standing::Settled(Some(certificate)) | Standing::Due(certificate) => {
                AtOnce::Certificate(certificate)
            }
            Standing::Settled(None) | Standing::Limited => AtOnce::Nothing,
            Standing::Unknown => AtOnce::NotYet,
        }
    }

    /// Asks Redis. What cannot be had or read leaves what there was.
    async fn read_borrowed(&self, host: &str) -> Option<Arc<Certificate>> {
        let source = self.borrowed.source.get()?;
        let before = self.borrowed.value(host);
        let found = match value_of(source, host).await {
            Ok(None) => None,
            Ok(Some((_, text))) if before.as_ref().is_some_and(|(old, _)| **old == text) => before,
            Ok(Some((hosts, text))) => self.made(source, host, &hosts, text).or(before),
            Err(why) => {
                tracing::warn!("cannot look up the certificate of `{host}` in Redis: {why}");
                // A host of which nothing is known is asked for again by the next client.
                let (_, certificate) = before.as_ref()?;
                let certificate = certificate.clone();
                self.borrowed.note(host, before);
                return Some(certificate);
            }
        };
        let certificate = found.as_ref().map(|(_, certificate)| certificate.clone());
        self.borrowed.note(host, found);
        certificate
    }

    fn made(
        &self,
        source: &Source,
        host: &str,
        hosts: &[HostPattern],
        text: Vec<u8>,
    ) -> Option<(Arc<Vec<u8>>, Arc<Certificate>)> {
        let texts = Texts { chain: text.clone(), key: text, ocsp: None };
        let from = format!("{}cert:{host} in Redis", source.prefix);
        match Certificate::of(&from, &texts, hosts, self.settings.min_version) {
            Ok(certificate) => Some((Arc::new(texts.key), Arc::new(certificate))),
            Err(error) => {
                count(&self.stats.reloads_failed);
                tracing::error!("{error}");
                None
            }
        }
    }
}

/// The value of a host's own key, otherwise that of the wildcard above it, with what it is for.
async fn value_of(
    source: &Source,
    host: &str,
) -> Result<Option<(Vec<HostPattern>, Vec<u8>)>, String> {
    if let Some(text) = ask(source, host).await? {
        return Ok(Some((pattern(host), text)));
    }
    let Some((_, parent)) = host.split_once('.') else { return Ok(None) };
    let text = ask(source, &format!("*.{parent}")).await?;
    Ok(text.map(|text| (pattern(host), text)))
}

async fn ask(source: &Source, name: &str) -> Result<Option<Vec<u8>>, String> {
    let mut command = Command::new();
    // No more than may be is asked for, whatever lies there.
    command
        .arg("GETRANGE")
        .arg(format!("{}cert:{name}", source.prefix))
        .arg(0)
        .arg(VALUE_BYTES_MAX);
    match source.link.call(&command).await.map_err(|why| why.to_string())? {
        Reply::BulkString(text) if text.is_empty() => Ok(None),
        Reply::BulkString(text) if text.len() > VALUE_BYTES_MAX => {
            Err(format!("its value is longer than {} KiB", VALUE_BYTES_MAX >> 10))
        }
        Reply::BulkString(text) => Ok(Some(text)),
        Reply::Nil => Ok(None),
        other => Err(format!("{other:?} is no certificate")),
    }
}
