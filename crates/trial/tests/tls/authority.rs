//! An authority of the trial's own, and what it signs.

use std::process::Command;

use forebay_trial::folder::Folder;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// Who signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: CertificateDer<'static>,
    pem: String,
    key: String,
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
        let (own, pem, key_pem) = (signed.der().clone(), signed.pem(), key.serialize_pem());
        Authority { issuer: Issuer::new(params, key), own, pem, key: key_pem }
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

    /// What it says of a certificate from now on for so many minutes, as `openssl ocsp` writes it into
    /// this folder.
    pub(crate) fn says_of(&self, one: &Issued, minutes: u32, folder: &Folder) -> Vec<u8> {
        folder.write("authority.pem", &self.pem).expect("a file");
        folder.write("authority.key", &self.key).expect("a file");
        folder.write("asked.pem", &one.certificate).expect("a file");
        let run = |words: &str| {
            let words = words.split(' ').filter(|word| !word.is_empty());
            let ran = Command::new("openssl").args(words).current_dir(folder.path()).output();
            let ran = ran.expect("openssl is on this machine");
            let said = [&ran.stdout[..], b"\n", &ran.stderr[..]].concat();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&said));
            String::from_utf8_lossy(&ran.stdout).trim().to_owned()
        };
        let serial = run("x509 -in asked.pem -noout -serial");
        let serial = serial.strip_prefix("serial=").expect("it has a number");
        let row = format!("V\t491231235959Z\t\t{serial}\tunknown\t/CN=a\n");
        folder.write("index.txt", &row).expect("a file");
        folder.write("index.txt.attr", "unique_subject = no\n").expect("a file");
        run("ocsp -issuer authority.pem -cert asked.pem -no_nonce -reqout asked.der");
        run(&format!(
            "ocsp -index index.txt -rsigner authority.pem -rkey authority.key -CA authority.pem \
             -reqin asked.der -respout said.der -nmin {minutes}"
        ));
        std::fs::read(folder.path().join("said.der")).expect("a file")
    }

    /// Whom a client trusts.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).expect("a certificate");
        roots
    }
}
