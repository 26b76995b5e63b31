//! Certificates for a server on this machine: an authority of the trial's own, and what it signed.

use std::path::{Path, PathBuf};

use crate::Failure;
use crate::folder::Folder;

/// Files with an authority, a server's certificate for `127.0.0.1` and `localhost`, and its key.
#[derive(Clone, Debug)]
pub struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// Makes them in this folder.
    pub fn make(folder: &Folder) -> Result<Self, Failure> {
        let failed = |why: rcgen::Error| Failure::new(format!("cannot make certificates: {why}"));
        let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(failed)?;
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "the trial's authority");
        let key = rcgen::KeyPair::generate().map_err(failed)?;
        let authority = params.self_signed(&key).map_err(failed)?;
        let issuer = rcgen::Issuer::new(params, key);
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let key = rcgen::KeyPair::generate().map_err(failed)?;
        let params = rcgen::CertificateParams::new(names).map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok(Certificates {
            authority: folder.write("authority.pem", &authority.pem())?,
            certificate: folder.write("server.pem", &certificate.pem())?,
            key: folder.write("server.key", &key.serialize_pem())?,
        })
    }

    /// The authority whom a client must trust, as PEM.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// The server's certificate, as PEM.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Its key, as PEM.
    pub fn key(&self) -> &Path {
        &self.key
    }
}
