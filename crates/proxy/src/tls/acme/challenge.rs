//! What is shown to an authority that looks whether a host leads here: a text in the clear (RFC 8555
//! section 8.3), or a certificate that says the same (RFC 8737).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, version};

/// The protocol by which an authority asks for the certificate.
pub(in crate::tls) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Challenges shown at once. Orders go one after the other, with one each.
const SHOWN_MAX: usize = 16;

/// What is shown now.
#[derive(Default)]
pub(in crate::tls) struct Challenges {
    texts: Mutex<HashMap<String, String>>,
    certificates: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

/// Something shown, until this is dropped.
pub(super) struct Shown<'a> {
    challenges: &'a Challenges,
    name: String,
}

impl Challenges {
    /// The text under this token.
    pub(in crate::tls) fn text(&self, token: &str) -> Option<String> {
        self.texts.lock().get(token).cloned()
    }

    /// The TLS that shows this host's certificate, and no other.
    pub(in crate::tls) fn certificate(&self, host: &str) -> Option<Arc<ServerConfig>> {
        self.certificates.lock().get(host).cloned()
    }

    /// Shows a text under a token.
    pub(super) fn show_text(&self, token: &str, text: &str) -> Option<Shown<'_>> {
        let mut texts = self.texts.lock();
        if texts.len() >= SHOWN_MAX {
            return None;
        }
        texts.insert(token.to_owned(), text.to_owned());
        Some(Shown { challenges: self, name: token.to_owned() })
    }

    /// Shows a certificate for a host that holds this digest.
    pub(super) fn show_certificate(&self, host: &str, digest: &[u8]) -> Result<Shown<'_>, String> {
        let config = Arc::new(config(host, digest)?);
        let mut certificates = self.certificates.lock();
        if certificates.len() >= SHOWN_MAX {
            return Err("too many challenges are shown".to_owned());
        }
        certificates.insert(host.to_owned(), config);
        Ok(Shown { challenges: self, name: host.to_owned() })
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        // A token is no host, so one name is in one of the two.
        self.challenges.texts.lock().remove(&self.name);
        self.challenges.certificates.lock().remove(&self.name);
    }
}

fn config(host: &str, digest: &[u8]) -> Result<ServerConfig, String> {
    let failed = |error: rcgen::Error| error.to_string();
    let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(failed)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let failed = |error: rustls::Error| error.to_string();
    let key = provider.key_provider.load_private_key(key).map_err(failed)?;
    // Not read back as others are: what makes it an answer is an extension that clients refuse.
    let key = CertifiedKey::new(vec![certificate.der().clone()], key);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(failed)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}
