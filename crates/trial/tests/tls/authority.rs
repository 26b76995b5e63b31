//! An authority of the trial's own, and what it signs.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// Who signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: CertificateDer<'static>,
    pem: String,
}

/// What is signed, as PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the trial's authority");
        let key = KeyPair::generate().expect("a key");
        let signed = params.self_signed(&key).expect("a certificate");
        let (own, pem) = (signed.der().clone(), signed.pem());
        Authority { issuer: Issuer::new(params, key), own, pem }
    }

    /// A certificate for these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.sign(names, |_| {})
    }

    fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("names of hosts");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let der = certificate.der().clone();
        Issued { certificate: certificate.pem(), key: key.serialize_pem(), der }
    }

    /// One that holds from one day to another: years, months, days.
    pub(crate) fn issue_between(
        &self,
        names: &[&str],
        begins: (i32, u8, u8),
        ends: (i32, u8, u8),
    ) -> Issued {
        self.sign(names, |params| {
            params.not_before = rcgen::date_time_ymd(begins.0, begins.1, begins.2);
            params.not_after = rcgen::date_time_ymd(ends.0, ends.1, ends.2);
        })
    }

    /// The authority itself, as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Whom a client trusts.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).expect("a certificate");
        roots
    }
}
