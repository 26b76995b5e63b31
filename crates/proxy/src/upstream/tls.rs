//! TLS to members: always verified, HTTP/2 or HTTP/1.1 by ALPN (RFC 7301, RFC 9113 section 3.2).
//!
//! Sessions are resumed within one upstream only, for each upstream has a configuration of its own.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::UpstreamError;
use super::pool::Wanted;
use crate::answer::Duplex;

/// The TLS of one upstream.
#[derive(Clone)]
pub(super) struct Tls {
    any: TlsConnector,
    http1: TlsConnector,
}

/// The version of HTTP that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Tls {
    /// Trusts the system's authorities and those of `ca_file`.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Tls, UpstreamError> {
        let config = trusting(ca_file)?;
        let with = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        Ok(Tls { any: with(&[b"h2", b"http/1.1"]), http1: with(&[b"http/1.1"]) })
    }

    /// Shakes hands over a connection, as a client of `name`.
    pub(super) async fn handshake(
        &self,
        bytes: Box<dyn Duplex>,
        name: ServerName<'static>,
        wanted: Wanted,
    ) -> io::Result<(Box<dyn Duplex>, Spoken)> {
        let connector = match wanted {
            Wanted::Any => &self.any,
            Wanted::Http1 => &self.http1,
        };
        let stream = connector.connect(name, bytes).await?;
        let spoken = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Spoken::Http2,
            Some(_) | None => Spoken::Http1,
        };
        Ok((Box::new(stream), spoken))
    }
}

/// Trusts the system's authorities and those of `ca_file`.
fn trusting(ca_file: Option<&Path>) -> Result<ClientConfig, UpstreamError> {
    let mut roots = system_roots().clone();
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
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
    let config = trusting(ca_file).map_err(|error| error.to_string())?;
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

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), UpstreamError> {
    let unreadable = |cause: String| UpstreamError::CaFile { path: path.to_owned(), cause };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
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
        return super::cause(error);
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
