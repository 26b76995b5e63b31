//! What an authority says of a certificate, stapled to handshakes (RFC 6066 section 8): as clients see
//! it, while the file comes, changes, and is damaged.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use forebay_trial::folder::Folder;
use forebay_trial::patience::until;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};

use crate::authority::Authority;
use crate::support::{PATIENCE, Stage, shake};

/// Judges as every client does, and notes what was stapled.
#[derive(Debug)]
struct Noting {
    judge: Arc<WebPkiServerVerifier>,
    stapled: Mutex<Vec<u8>>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.stapled.lock().unwrap() = stapled.to_vec();
        self.judge.verify_server_cert(own, above, name, stapled, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// What is stapled to a handshake in this version; nothing is no bytes.
async fn stapled(stage: &Stage, version: &'static rustls::SupportedProtocolVersion) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(stage.authority.roots());
    let judge = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
    let noting = Noting { judge: judge.build().unwrap(), stapled: Mutex::default() };
    let noting = Arc::new(noting);
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(noting.clone())
        .with_no_client_auth();
    shake(stage.secured, "a.example", Arc::new(config)).await.unwrap();
    noting.stapled.lock().unwrap().clone()
}

async fn becomes(stage: &Stage, expected: &[u8]) {
    let is_so = async || stapled(stage, &rustls::version::TLS13).await == expected;
    let seen = until("it is stapled, or no more", PATIENCE, is_so).await;
    seen.unwrap_or_else(|why| panic!("{why}{}", stage.words()));
    assert_eq!(stapled(stage, &rustls::version::TLS12).await, expected);
}

async fn says(stage: &Stage, words: &str) {
    let said = async || stage.words().contains(words);
    let seen = until("it says why", PATIENCE, said).await;
    seen.unwrap_or_else(|why| panic!("{why}: {words}{}", stage.words()));
}

/// What openssl's client says of the staple.
fn openssl_says(stage: &Stage) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-status", "-servername", "a.example", "-connect"])
        .arg(stage.secured.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It ends when it has nothing to say.
    drop(child.stdin.take().map(|mut stdin| stdin.write_all(b"Q\n")));
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

#[tokio::test]
async fn what_an_authority_says_is_stapled_as_long_as_the_file_is_sound() {
    let folder = Folder::new("staples").unwrap();
    let file = folder.path().join("0.ocsp");
    let line = format!("ocsp_file = \"{}\"", file.display());
    let lines = [("certificate 0", line.as_str())];
    let stage = Stage::within(folder, Authority::new(), &[&["a.example"]], &lines).await;
    let absent = format!("cannot staple `{}`: No such file", file.display());
    says(&stage, &absent).await;
    becomes(&stage, b"").await;
    let of = |place: usize, minutes: u32| {
        let own = Folder::new("ocsp").unwrap();
        stage.authority.says_of(&stage.issued[place], minutes, &own)
    };
    let first = of(0, 60);
    std::fs::write(&file, &first).unwrap();
    becomes(&stage, &first).await;
    let said = openssl_says(&stage);
    assert!(said.contains("OCSP Response Status: successful"), "{said}");
    assert!(said.contains("Cert Status: good"), "{said}");
    let ends = stage.metric("forebay_tls_staple_expires_seconds{host=\"a.example\"}").await;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    assert!((1..=3600).contains(&ends.saturating_sub(now.as_secs())), "{ends}");
    let second = of(0, 120);
    std::fs::write(&file, &second).unwrap();
    becomes(&stage, &second).await;
    std::fs::write(&file, &second[..second.len() / 2]).unwrap();
    says(&stage, "it is no OCSP response as DER; the certificate in").await;
    becomes(&stage, b"").await;
}

#[tokio::test]
async fn what_is_of_another_certificate_is_not_stapled() {
    let folder = Folder::new("staples").unwrap();
    let (file, other) = (folder.path().join("0.ocsp"), Authority::new());
    let line = format!("ocsp_file = \"{}\"", file.display());
    let lines = [("certificate 0", line.as_str())];
    let foreign = other.says_of(&other.issue(&["a.example"]), 60, &folder);
    std::fs::write(&file, foreign).unwrap();
    let stage = Stage::within(folder, Authority::new(), &[&["a.example"]], &lines).await;
    says(&stage, "it is of another certificate").await;
    becomes(&stage, b"").await;
}
