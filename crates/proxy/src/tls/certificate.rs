//! A certificate with its key, ready to be shown: the hosts that it is for, and a TLS of its own.
//!
//! Each certificate has sessions and tickets of its own, so that what began with one host is never
//! resumed with another (CVE-2025-23419).

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, version};

use super::names;
use super::staple::Staple;
use super::validity::{Validity, serial};
use crate::config::{CertificateSettings, HostPattern, TlsVersion};

/// Bytes of a file with a certificate, a key or what its authority says of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Certificates that lead from a host's to its authority, its own included.
const CHAIN_MAX: usize = 16;

/// Sessions of TLS 1.2 that are kept for one certificate; those of 1.3 lie with the client.
const SESSIONS_MAX: usize = 1024;

/// What both sides may speak behind TLS, in the order of our choice (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate that can be shown.
pub struct Certificate {
    /// The hosts that it is shown for.
    pub(super) hosts: Vec<HostPattern>,
    /// When it holds; `None` where that cannot be read.
    pub(super) validity: Option<Validity>,
    /// What is stapled, where something was to be, or why nothing is.
    pub(super) staple: Option<Result<Staple, String>>,
    /// How it is spoken with.
    pub(super) config: Arc<ServerConfig>,
    /// It, for QUIC, where all certificates share a TLS.
    #[cfg(feature = "http3")]
    pub(super) key: Arc<CertifiedKey>,
}

/// What a certificate is made of, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Texts {
    /// The certificate and those above it, as PEM.
    pub(super) chain: Vec<u8>,
    /// Its key, as PEM.
    pub(super) key: Vec<u8>,
    /// What its authority says of it, as DER, where there is a file; or why that cannot be read.
    pub(super) ocsp: Option<Result<Vec<u8>, String>>,
}

/// Why a certificate cannot be shown: what was read, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateError {
    /// Where it is from: a file's path, a key in Redis.
    pub(super) from: String,
    /// What is wrong.
    pub(super) cause: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use the certificate in `{}`: {}", self.from, self.cause)
    }
}

impl std::error::Error for CertificateError {}

impl Texts {
    /// Reads the files that a configuration names. Without what its authority says a certificate can be
    /// shown all the same.
    pub(super) fn read(settings: &CertificateSettings) -> Result<Texts, CertificateError> {
        Ok(Texts {
            chain: read(&settings.certificate_file)?,
            key: read(&settings.key_file)?,
            ocsp: settings.ocsp_file.as_ref().map(|file| read(file).map_err(|error| error.cause)),
        })
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, CertificateError> {
    let refused = |cause: String| CertificateError { from: path.display().to_string(), cause };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| refused(error.to_string()))?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    match read.map_err(|error| refused(error.to_string()))? as u64 {
        0..=FILE_BYTES_MAX => Ok(bytes),
        _ => Err(refused(format!("it is longer than {} MiB", FILE_BYTES_MAX >> 20))),
    }
}

impl Certificate {
    /// Makes one of what was read; `hosts`, where there are any, in place of its own names.
    pub(super) fn of(
        from: &str,
        texts: &Texts,
        hosts: &[HostPattern],
        least: TlsVersion,
    ) -> Result<Certificate, CertificateError> {
        let made = make(texts, hosts, least);
        made.map_err(|cause| CertificateError { from: from.to_owned(), cause })
    }

    /// The one of these files.
    pub(super) fn of_files(
        settings: &CertificateSettings,
        texts: &Texts,
        least: TlsVersion,
    ) -> Result<Certificate, CertificateError> {
        let from = settings.certificate_file.display().to_string();
        Certificate::of(&from, texts, &settings.hosts, least).map_err(|error| {
            let beside = format!("{} (its key is `{}`)", error.cause, settings.key_file.display());
            CertificateError { cause: beside, ..error }
        })
    }

    /// Whether what is stapled has ceased to hold.
    pub(super) fn is_stapled_too_long(&self, now: SystemTime) -> bool {
        matches!(&self.staple, Some(Ok(staple)) if !staple.holds(now))
    }

    /// Whether it is for this host.
    pub(super) fn covers(&self, host: &str) -> bool {
        names::covers(&self.hosts, host)
    }
}

fn make(texts: &Texts, hosts: &[HostPattern], least: TlsVersion) -> Result<Certificate, String> {
    let chain = CertificateDer::pem_slice_iter(&texts.chain)
        .take(CHAIN_MAX + 1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("it is no PEM: {error}"))?;
    let Some(own) = chain.first() else { return Err("it holds no certificate".to_owned()) };
    if chain.len() > CHAIN_MAX {
        return Err(format!("it holds more than {CHAIN_MAX} certificates"));
    }
    let parsed = webpki::EndEntityCert::try_from(own)
        .map_err(|error| format!("it holds no certificate for a server: {error}"))?;
    let hosts = match hosts.is_empty() {
        true => names::patterns(parsed.valid_dns_names()),
        false => hosts.to_vec(),
    };
    if hosts.is_empty() {
        return Err("it names no host; write `hosts`".to_owned());
    }
    let validity = Validity::of(own);
    let staple = texts.ocsp.as_ref().map(|read| {
        let response = read.as_ref().map_err(String::clone)?;
        Staple::of(response, serial(own).unwrap_or_default(), SystemTime::now())
    });
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut key = certified(chain, texts, &provider)?;
    if let (Some(Ok(_)), Some(Ok(response))) = (&staple, &texts.ocsp) {
        key.ocsp = Some(response.clone());
    }
    let key = Arc::new(key);
    let config = Arc::new(config(Arc::clone(&key), least, provider)?);
    Ok(Certificate {
        hosts,
        validity,
        staple,
        config,
        #[cfg(feature = "http3")]
        key,
    })
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    texts: &Texts,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let key = PrivateKeyDer::from_pem_slice(&texts.key)
        .map_err(|error| format!("its key cannot be read: {error}"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the key is another certificate's".to_owned(),
        other => format!("its key cannot be used: {other}"),
    })
}

/// A TLS that shows this certificate alone.
fn config(
    key: Arc<CertifiedKey>,
    least: TlsVersion,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, String> {
    let versions: &[_] = match least {
        TlsVersion::Tls12 => &[&version::TLS13, &version::TLS12],
        TlsVersion::Tls13 => &[&version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
    Ok(config)
}
