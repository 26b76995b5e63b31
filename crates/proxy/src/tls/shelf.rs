//! The certificates that there are now: those in files, each with the texts that it was made of.
//!
//! A reader takes a snapshot; a certificate that has changed makes a new one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};

use super::acme::{Store, pattern};
use super::certificate::{Certificate, CertificateError, Texts};
use super::names::ByHost;
use crate::config::{CertificateSettings, HostPattern, Switch, TlsSettings, TlsVersion};

/// Certificates told of one by one in metrics.
const TOLD_MAX: usize = 1024;

/// All certificates.
pub(super) struct Shelf {
    least: TlsVersion,
    files: Mutex<Vec<OfFiles>>,
    /// Those that an authority gave, by their host.
    given: Mutex<BTreeMap<String, Arc<Certificate>>>,
    snapshot: RwLock<Arc<Snapshot>>,
}

/// A certificate in files, and what they held when it was made.
#[derive(Clone)]
struct OfFiles {
    settings: CertificateSettings,
    texts: Texts,
    certificate: Arc<Certificate>,
    /// Why the files could not be taken when they were last looked at.
    failure: Option<CertificateError>,
}

/// The certificates at one moment.
#[derive(Default)]
struct Snapshot {
    by_host: ByHost<Arc<Certificate>>,
    /// For clients that name no host.
    first: Option<Arc<Certificate>>,
    /// For clients that name a host of no certificate.
    default: Option<Arc<Certificate>>,
    all: Vec<Arc<Certificate>>,
}

/// What looking at the files again has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// Certificates taken anew.
    pub(super) taken: usize,
    /// Why others were not, each said once.
    pub(super) failures: Vec<CertificateError>,
}

impl Shelf {
    /// Reads all files.
    pub(super) fn open(settings: &TlsSettings) -> Result<Shelf, CertificateError> {
        let least = settings.min_version;
        let read = |settings| OfFiles::read(settings, least);
        let files = settings.certificates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let given = BTreeMap::new();
        Ok(Shelf::of(least, files, restored(settings, given)))
    }

    /// The shelf of other settings than those before. What is said of a certificate as before leaves it
    /// as it is, with its sessions; all others are read.
    pub(super) fn succeeded_by(
        &self,
        before: &TlsSettings,
        settings: &TlsSettings,
    ) -> Result<Shelf, CertificateError> {
        let least = settings.min_version;
        if least != self.least {
            return Shelf::open(settings);
        }
        let there = self.files.lock().clone();
        let read = |settings: &CertificateSettings| match there
            .iter()
            .find(|one| one.settings == *settings)
        {
            Some(same) => Ok(same.clone()),
            None => OfFiles::read(settings, least),
        };
        let files = settings.certificates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let store = |settings: &TlsSettings| settings.acme.as_ref().map(|acme| acme.store.clone());
        let given = match store(before) == store(settings) {
            true => self.given.lock().clone(),
            false => BTreeMap::new(),
        };
        Ok(Shelf::of(least, files, restored(settings, given)))
    }

    fn of(
        least: TlsVersion,
        files: Vec<OfFiles>,
        given: BTreeMap<String, Arc<Certificate>>,
    ) -> Shelf {
        let snapshot = RwLock::new(Arc::new(Snapshot::of(&files, &given)));
        Shelf { least, files: Mutex::new(files), given: Mutex::new(given), snapshot }
    }

    /// The certificate that names this host.
    pub(super) fn find(&self, host: &str) -> Option<Arc<Certificate>> {
        self.snapshot.read().by_host.find(host).cloned()
    }

    /// The one for clients that ask for a host of no certificate.
    pub(super) fn default(&self) -> Option<Arc<Certificate>> {
        self.snapshot.read().default.clone()
    }

    /// The one for clients that name no host.
    pub(super) fn first(&self) -> Option<Arc<Certificate>> {
        let snapshot = self.snapshot.read();
        snapshot.default.as_ref().or(snapshot.first.as_ref()).cloned()
    }

    /// Whether a certificate names this host.
    pub(super) fn names(&self, host: &str) -> bool {
        self.snapshot.read().by_host.find(host).is_some()
    }

    /// Looks at all files again. What cannot be shown leaves the last good one in its place. Reads
    /// files, on this thread.
    pub(super) fn look_again(&self) -> Looked {
        let mut looked = Looked::default();
        let mut files = self.files.lock();
        for one in files.iter_mut() {
            match one.look_again(self.least) {
                Ok(Some((texts, certificate))) => {
                    warn_of(&one.settings, &certificate);
                    (one.texts, one.certificate) = (texts, Arc::new(certificate));
                    one.failure = None;
                    looked.taken += 1;
                }
                Ok(None) => one.failure = None,
                Err(failure) if one.failure.as_ref() == Some(&failure) => {}
                Err(failure) => {
                    one.failure = Some(failure.clone());
                    looked.failures.push(failure);
                }
            }
        }
        if looked.taken > 0 {
            let next = Arc::new(Snapshot::of(&files, &self.given.lock()));
            *self.snapshot.write() = next;
        }
        looked
    }

    /// The certificate that an authority gave for this host.
    pub(super) fn given(&self, host: &str) -> Option<Arc<Certificate>> {
        self.given.lock().get(host).cloned()
    }

    /// Shows what an authority gave for this host from now on.
    pub(super) fn give(&self, host: &str, certificate: Arc<Certificate>) {
        let files = self.files.lock();
        let mut given = self.given.lock();
        given.insert(host.to_owned(), certificate);
        let next = Arc::new(Snapshot::of(&files, &given));
        *self.snapshot.write() = next;
    }

    /// Each certificate's first host, and when it ceases to hold in seconds since 1970.
    pub(super) fn ends(&self) -> Vec<(String, u64)> {
        self.told(|one| Some(one.validity?.ends))
    }

    /// The same of what is stapled.
    pub(super) fn staple_ends(&self) -> Vec<(String, u64)> {
        self.told(|one| one.staple.as_ref()?.as_ref().ok()?.ends)
    }

    /// Why nothing is stapled to certificates where something was to be.
    pub(super) fn unstapled(&self) -> Vec<String> {
        let files = self.files.lock();
        files.iter().filter_map(|one| unstapled(&one.settings, &one.certificate)).collect()
    }

    fn told(&self, moment: impl Fn(&Certificate) -> Option<SystemTime>) -> Vec<(String, u64)> {
        let snapshot = self.snapshot.read().clone();
        let told = snapshot.all.iter().take(TOLD_MAX);
        told.filter_map(|one| {
            let host = one.hosts.first().map(HostPattern::to_string)?;
            let at = moment(one)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            Some((host, at.as_secs()))
        })
        .collect()
    }
}

impl OfFiles {
    fn read(
        settings: &CertificateSettings,
        least: TlsVersion,
    ) -> Result<OfFiles, CertificateError> {
        let texts = Texts::read(settings)?;
        let certificate = Arc::new(Certificate::of_files(settings, &texts, least)?);
        warn_of(settings, &certificate);
        Ok(OfFiles { settings: settings.clone(), texts, certificate, failure: None })
    }

    /// What the files hold now, if it is something else.
    fn look_again(
        &self,
        least: TlsVersion,
    ) -> Result<Option<(Texts, Certificate)>, CertificateError> {
        let texts = Texts::read(&self.settings)?;
        if texts == self.texts && !self.certificate.is_stapled_too_long(SystemTime::now()) {
            return Ok(None);
        }
        let certificate = Certificate::of_files(&self.settings, &texts, least)?;
        Ok(Some((texts, certificate)))
    }
}

impl Snapshot {
    /// What is in files goes before what was given.
    fn of(files: &[OfFiles], given: &BTreeMap<String, Arc<Certificate>>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for OfFiles { settings, certificate, .. } in files {
            snapshot.by_host.add(&certificate.hosts, certificate);
            snapshot.first.get_or_insert_with(|| certificate.clone());
            if settings.default == Switch::On {
                snapshot.default = Some(certificate.clone());
            }
            snapshot.all.push(certificate.clone());
        }
        for certificate in given.values() {
            snapshot.by_host.add(&certificate.hosts, certificate);
            snapshot.first.get_or_insert_with(|| certificate.clone());
            snapshot.all.push(certificate.clone());
        }
        snapshot
    }
}

/// What an authority gave before for the hosts of these settings: what is there already, then what is
/// on disk, as far as it can be read. The rest is asked for anew.
fn restored(
    settings: &TlsSettings,
    mut given: BTreeMap<String, Arc<Certificate>>,
) -> BTreeMap<String, Arc<Certificate>> {
    let Some(acme) = &settings.acme else { return BTreeMap::new() };
    given.retain(|host, _| acme.hosts.contains(host));
    let store = Store::of(acme);
    for host in &acme.hosts {
        if given.contains_key(host) {
            continue;
        }
        let texts = match store.certificate(host) {
            Ok(Some(texts)) => texts,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!("{error}; another certificate will be asked for");
                continue;
            }
        };
        match Certificate::of(host, &texts, &pattern(host), settings.min_version) {
            Ok(certificate) => {
                given.insert(host.clone(), Arc::new(certificate));
            }
            Err(error) => tracing::warn!("{error}; another will be asked for"),
        }
    }
    given
}

/// What an operator is told of a certificate that is shown.
fn warn_of(settings: &CertificateSettings, certificate: &Certificate) {
    let file = settings.certificate_file.display();
    if let Some(why) = unstapled(settings, certificate) {
        tracing::warn!("{why}; the certificate in `{file}` is shown without it");
    }
    warn_of_time(settings, certificate);
}

/// Why nothing is stapled to a certificate, where something was to be.
fn unstapled(settings: &CertificateSettings, certificate: &Certificate) -> Option<String> {
    let (file, Err(why)) = (settings.ocsp_file.as_ref()?, certificate.staple.as_ref()?) else {
        return None;
    };
    Some(format!("cannot staple `{}`: {why}", file.display()))
}

/// A certificate out of its time is shown all the same: a client's clock is the one that counts.
fn warn_of_time(settings: &CertificateSettings, certificate: &Certificate) {
    let file = settings.certificate_file.display();
    let now = SystemTime::now();
    match certificate.validity {
        None => tracing::warn!("the certificate in `{file}` does not say when it holds"),
        Some(validity) if validity.ends < now => {
            tracing::warn!("the certificate in `{file}` has expired");
        }
        Some(validity) if validity.begins > now => {
            tracing::warn!("the certificate in `{file}` does not hold yet");
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::staple::{GOOD, Staple, tests::response};
    use super::super::validity::serial;
    use super::*;

    /// A certificate in files of a folder that is removed at the end, with an OCSP response until then.
    fn of_files(ends: &str, check: impl FnOnce(OfFiles)) {
        let name = format!("forebay-shelf-{:x}", rand::random::<u64>());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        let own = params.self_signed(&key).unwrap();
        let said = response(serial(own.der()).unwrap(), GOOD, "20200101000000Z", Some(ends));
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let settings = CertificateSettings {
            certificate_file: write("c", own.pem().as_bytes()),
            key_file: write("k", key.serialize_pem().as_bytes()),
            ocsp_file: Some(write("o", &said)),
            hosts: Vec::new(),
            default: Switch::Off,
        };
        check(OfFiles::read(&settings, TlsVersion::Tls12).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_stapled_goes_when_it_has_ceased_to_hold() {
        of_files("20991231000000Z", |one| {
            assert!(matches!(one.certificate.staple, Some(Ok(_))));
            assert!(one.look_again(TlsVersion::Tls12).unwrap().is_none());
        });
        of_files("20200102000000Z", |mut one| {
            assert_eq!(one.certificate.staple, Some(Err("it has expired".to_owned())));
            assert!(one.look_again(TlsVersion::Tls12).unwrap().is_none(), "it is told once");
            // As it was the moment before.
            let ends = Some(SystemTime::now() - Duration::from_secs(1));
            let certificate = Arc::get_mut(&mut one.certificate).unwrap();
            certificate.staple = Some(Ok(Staple { ends }));
            let (_, next) = one.look_again(TlsVersion::Tls12).unwrap().unwrap();
            assert_eq!(next.staple, Some(Err("it has expired".to_owned())));
        });
    }
}
