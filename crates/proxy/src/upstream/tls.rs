//! TLS to members: always verified, HTTP/2 or HTTP/1.1 by ALPN (RFC 7301, RFC 9113 section 3.2).
//!
//! Upstreams that trust the same authorities share one configuration, and with it the sessions that
//! are resumed: those are kept by the name that the member has proved to be.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, LazyLock, OnceLock, Weak};

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::pool::Wanted;
use super::{UpstreamError, cause};
use crate::answer::Duplex;

/// Bytes of a file of authorities.
const CA_BYTES_MAX: u64 = 16 << 20;

/// The TLS of upstreams that trust the same authorities. Cloning it shares it.
#[derive(Clone)]
pub(super) struct Tls(Arc<Connectors>);

struct Connectors {
    any: TlsConnector,
    http1: TlsConnector,
}

/// What is in use, by the text of the authorities beside the system's. It keeps nothing alive.
type Shared = HashMap<Option<Vec<u8>>, Weak<Connectors>>;

static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(Mutex::default);

/// The version of HTTP that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Tls {
    /// Trusts the system's authorities and those of `ca_file`, which is read anew.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Tls, UpstreamError> {
        let text = ca_file.map(authorities).transpose()?;
        let mut shared = SHARED.lock();
        if let Some(connectors) = shared.get(&text).and_then(Weak::upgrade) {
            return Ok(Tls(connectors));
        }
        shared.retain(|_, connectors| connectors.strong_count() > 0);
        let config = trusting(ca_file.zip(text.as_deref()))?;
        let with = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        let (any, http1) = (with(&[b"h2", b"http/1.1"]), with(&[b"http/1.1"]));
        let connectors = Arc::new(Connectors { any, http1 });
        shared.insert(text, Arc::downgrade(&connectors));
        Ok(Tls(connectors))
    }

    /// What tells it from every other that is alive.
    pub(super) fn id(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Shakes hands over a connection, as a client of `name`.
    pub(super) async fn handshake(
        &self,
        bytes: Box<dyn Duplex>,
        name: ServerName<'static>,
        wanted: Wanted,
    ) -> io::Result<(Box<dyn Duplex>, Spoken)> {
        let connector = match wanted {
            Wanted::Any => &self.0.any,
            Wanted::Http1 => &self.0.http1,
        };
        let stream = connector.connect(name, bytes).await?;
        let spoken = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Spoken::Http2,
            Some(_) | None => Spoken::Http1,
        };
        Ok((Box::new(stream), spoken))
    }
}

/// Trusts the system's authorities and those of a file with this text.
fn trusting(ca_file: Option<(&Path, &[u8])>) -> Result<ClientConfig, UpstreamError> {
    let mut roots = system_roots().clone();
    if let Some((path, text)) = ca_file {
        add_file(&mut roots, path, text)?;
    }
    if roots.is_empty() {
        return Err(UpstreamError::NoAuthorities);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| UpstreamError::Tls(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// TLS over a connection to a server that speaks no HTTP, or why there is none.
pub(crate) async fn tls_to(
    host: &str,
    ca_file: Option<&Path>,
    bytes: Box<dyn Duplex>,
) -> Result<Box<dyn Duplex>, String> {
    let text = ca_file.map(authorities).transpose().map_err(|error| error.to_string())?;
    let config = trusting(ca_file.zip(text.as_deref())).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, bytes).await;
    Ok(Box::new(stream.map_err(|error| explain(&error))?))
}

/// The system's authorities, read once.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!("cannot read one of the system's certificate authorities: {error}");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        roots
    })
}

/// The text of a file of authorities.
fn authorities(path: &Path) -> Result<Vec<u8>, UpstreamError> {
    let unreadable = |cause: String| UpstreamError::CaFile { path: path.to_owned(), cause };
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(cause(&error)))?;
    let read = file.take(CA_BYTES_MAX + 1).read_to_end(&mut text);
    match read.map_err(|error| unreadable(cause(&error)))? as u64 {
        0..=CA_BYTES_MAX => Ok(text),
        _ => Err(unreadable(format!("it is longer than {} MiB", CA_BYTES_MAX >> 20))),
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path, text: &[u8]) -> Result<(), UpstreamError> {
    let unreadable = |cause: String| UpstreamError::CaFile { path: path.to_owned(), cause };
    let certificates = CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable("it holds no certificate".to_owned()));
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    Ok(())
}

/// Why a handshake failed, for somebody who has to mend it.
pub(super) fn explain(error: &io::Error) -> String {
    let Some(error) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>())
    else {
        return cause(error);
    };
    let rustls::Error::InvalidCertificate(reason) = error else {
        return error.to_string();
    };
    match reason {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by an authority that is not trusted (see `ca_file`)".into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".into()
        }
        CertificateError::NotValidForName => "its certificate is for another name".into(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let mut text = "its certificate is for another name".to_owned();
            for (index, name) in presented.iter().take(8).enumerate() {
                let _ = write!(text, "{}{name}", if index == 0 { ": " } else { ", " });
            }
            text
        }
        other => format!("its certificate is not valid: {other}"),
    }
}
