//! Pebble, the ACME server that Let's Encrypt tests clients with, as a process: it really connects
//! back to see whether a host leads here. In Debian it is the package `pebble`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forebay_trial::client::Client;
use forebay_trial::folder::Folder;
use forebay_trial::patience::until;
use forebay_trial::process::Process;
use forebay_trial::real::free_address;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::authority::Authority;
use crate::support::{PATIENCE, shake};

/// A running authority with names of its own that all lead to this machine. Dropped, it ends.
pub(crate) struct Pebble {
    process: Process,
    _names: Process,
    address: SocketAddr,
    operators: SocketAddr,
    roots: RootCertStore,
    ca_file: PathBuf,
    _folder: Folder,
}

impl Pebble {
    /// Whether it is on this machine.
    pub(crate) fn is_here() -> bool {
        let is_here = Path::new("/usr/bin/pebble").is_file();
        if !is_here {
            eprintln!("not tried: there is no pebble; type `apt-get install pebble`");
        }
        is_here
    }

    /// One that looks for hosts at these ports.
    pub(crate) async fn start(http: u16, tls: u16) -> Pebble {
        let (folder, authority) = (Folder::new("pebble").expect("a folder"), Authority::new());
        let own = authority.issue(&["127.0.0.1"]);
        let file = |name: &str, text: &str| folder.write(name, text).expect("a file");
        let (certificate, key) = (file("own.pem", &own.certificate), file("own.key", &own.key));
        let ca_file = file("authority.pem", authority.pem());
        let free = || free_address().expect("a free port");
        let (address, operators, dns, manager) = (free(), free(), free(), free());
        let config = format!(
            "{{\"pebble\": {{\"listenAddress\": \"{address}\", \
             \"managementListenAddress\": \"{operators}\", \"certificate\": \"{}\", \
             \"privateKey\": \"{}\", \"httpPort\": {http}, \"tlsPort\": {tls}, \
             \"ocspResponderURL\": \"\", \"externalAccountBindingRequired\": false}}}}",
            certificate.display(),
            key.display()
        );
        let config = file("config.json", &config).display().to_string();
        let names = [
            "-defaultIPv4",
            "127.0.0.1",
            "-defaultIPv6",
            "",
            "-dns01",
            &dns.to_string(),
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-management",
            &manager.to_string(),
        ];
        let names = Process::start(Path::new("/usr/bin/pebble-challtestsrv"), &names);
        let own = [
            "PEBBLE_VA_NOSLEEP=1",
            "/usr/bin/pebble",
            "-config",
            &config,
            "-dnsserver",
            &dns.to_string(),
        ];
        let process = Process::start(Path::new("/usr/bin/env"), &own).expect("pebble starts");
        let roots = authority.roots();
        let names = names.expect("the names start");
        let pebble =
            Pebble { process, _names: names, address, operators, roots, ca_file, _folder: folder };
        let answers = async || pebble.get(operators, "/roots/0").await.is_some();
        let begun = until("pebble answers", PATIENCE, answers).await;
        begun.unwrap_or_else(|failure| panic!("{failure}: {}", pebble.words()));
        pebble
    }

    /// Lines of the table `tls.acme`.
    pub(crate) fn lines(&self) -> [String; 2] {
        [
            format!("directory = \"https://{}/dir\"", self.address),
            format!("ca_file = \"{}\"", self.ca_file.display()),
        ]
    }

    /// Whom clients trust that trust this authority.
    pub(crate) async fn roots(&self) -> RootCertStore {
        let pem = self.get(self.operators, "/roots/0").await.expect("it tells of its root");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("a root");
        roots
    }

    /// What it said.
    pub(crate) fn words(&self) -> String {
        self.process.output()
    }

    async fn get(&self, address: SocketAddr, path: &str) -> Option<Vec<u8>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .ok()?
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let stream = shake(address, "127.0.0.1", Arc::new(config)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let answer = Client::over(Box::new(stream)).ask(&request, PATIENCE).await.ok()?;
        Some(answer.body)
    }
}
