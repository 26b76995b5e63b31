//! Certificates that an authority gives, which looks for itself whether the hosts lead here.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay_trial::folder::Folder;
use forebay_trial::patience::until;
use forebay_trial::real::free_address;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::authority::Authority;
use crate::pebble::Pebble;
use crate::support::{Stage, shake};

/// How long an order may take here.
const PATIENCE: Duration = Duration::from_secs(120);

/// The certificate that is shown for a host, if a client that trusts these takes it.
async fn shown(
    stage: &Stage,
    host: &str,
    roots: &RootCertStore,
) -> Option<CertificateDer<'static>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    let stream = shake(stage.secured, host, Arc::new(config)).await.ok()?;
    Some(stream.get_ref().1.peer_certificates()?[0].clone().into_owned())
}

/// The program, with hosts of which it has no certificate.
async fn stage(pebble: &Pebble, lines: &[String], tls: &[String]) -> Stage {
    let of = |table: &'static str, line: &String| (table, line.clone());
    let lines: Vec<(&str, String)> = lines
        .iter()
        .chain(&pebble.lines())
        .map(|line| of("tls.acme", line))
        .chain(tls.iter().map(|line| of("tls", line)))
        .collect();
    let lines: Vec<(&str, &str)> =
        lines.iter().map(|(name, line)| (*name, line.as_str())).collect();
    Stage::within(Folder::new("acme").unwrap(), Authority::new(), &[], &lines).await
}

/// Passes connections on, from the port at which the authority looks.
async fn pass(from: SocketAddr, to: SocketAddr) {
    let listener = TcpListener::bind(from).await.unwrap();
    let mut passed = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        passed.spawn(async move {
            let Ok(mut gateway) = TcpStream::connect(to).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut client, &mut gateway).await;
        });
    }
}

/// Every file of a store is its owner's alone.
fn is_private(store: &Path) {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(store), 0o700);
    let mut files = 0;
    for file in std::fs::read_dir(store).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
        files += 1;
    }
    assert!(files >= 2, "an account and a certificate");
}

#[tokio::test]
async fn a_certificate_is_given_by_tls_alpn_01_and_found_again_after_a_restart() {
    if !Pebble::is_here() {
        return;
    }
    let secured = free_address().unwrap();
    let store = Folder::new("acme-store").unwrap();
    let pebble = Pebble::start(1, secured.port()).await;
    let roots = pebble.roots().await;
    let acme = [
        "hosts = [\"a.example\", \"b.example\"]".to_owned(),
        "contact = \"mailto:somebody@example.com\"".to_owned(),
        format!("store = \"{}\"", store.path().join("acme").display()),
    ];
    let listen = [format!("listen = [\"{secured}\"]")];
    let mut stage = self::stage(&pebble, &acme, &listen).await;
    stage.secured = secured;
    for host in ["a.example", "b.example"] {
        let given = async || shown(&stage, host, &roots).await.is_some();
        let given = until("a certificate is given", PATIENCE, given).await;
        given.unwrap_or_else(|why| panic!("{why}{}\n{}", stage.words(), pebble.words()));
    }
    is_private(&store.path().join("acme"));
    assert_eq!(stage.metric("forebay_acme_issued_total").await, 2);
    assert_eq!(stage.metric("forebay_acme_failed_total").await, 0, "{}", stage.words());
    // Without its authority the next process shows what the last one was given.
    stage.gateway.process.kill().await.unwrap();
    drop((stage, pebble));
    let nobody = Pebble::start(1, 1).await;
    let mut stage = self::stage(&nobody, &acme, &listen).await;
    stage.secured = secured;
    assert!(shown(&stage, "a.example", &roots).await.is_some(), "{}", stage.words());
}

#[tokio::test]
async fn a_certificate_with_two_thirds_of_its_life_gone_is_renewed() {
    if !Pebble::is_here() {
        return;
    }
    let secured = free_address().unwrap();
    let (store, before) = (Folder::new("acme-store").unwrap(), Authority::new());
    let old = before.issue_between(&["a.example"], (2020, 1, 1), (2028, 1, 1));
    let new = before.issue_between(&["b.example"], (2026, 1, 1), (2999, 1, 1));
    for (file, one) in [("a.example.pem", old), ("b.example.pem", new)] {
        store.write(file, &format!("{}{}", one.key, one.certificate)).unwrap();
    }
    let pebble = Pebble::start(1, secured.port()).await;
    let roots = pebble.roots().await;
    let acme = [
        "hosts = [\"a.example\", \"b.example\"]".to_owned(),
        format!("store = \"{}\"", store.path().display()),
    ];
    let mut stage = self::stage(&pebble, &acme, &[format!("listen = [\"{secured}\"]")]).await;
    stage.secured = secured;
    assert!(shown(&stage, "b.example", &before.roots()).await.is_some(), "{}", stage.words());
    let renewed = async || shown(&stage, "a.example", &roots).await.is_some();
    let renewed = until("another is given", PATIENCE, renewed).await;
    renewed.unwrap_or_else(|why| panic!("{why}{}\n{}", stage.words(), pebble.words()));
    assert!(shown(&stage, "b.example", &before.roots()).await.is_some(), "its time has not come");
}

#[tokio::test]
async fn what_an_authority_refuses_leaves_what_there_is_and_is_told() {
    if !Pebble::is_here() {
        return;
    }
    let (store, before) = (Folder::new("acme-store").unwrap(), Authority::new());
    let old = before.issue_between(&["a.example"], (2020, 1, 1), (2028, 1, 1));
    store.write("a.example.pem", &format!("{}{}", old.key, old.certificate)).unwrap();
    // It looks for the host where nobody is.
    let pebble = Pebble::start(1, 1).await;
    let acme =
        ["hosts = [\"a.example\"]".to_owned(), format!("store = \"{}\"", store.path().display())];
    let stage = self::stage(&pebble, &acme, &[]).await;
    let failed = async || stage.metric("forebay_acme_failed_total").await == 1;
    let failed = until("the failure is counted", PATIENCE, failed).await;
    failed.unwrap_or_else(|why| panic!("{why}{}\n{}", stage.words(), pebble.words()));
    let said = stage.words();
    assert!(said.contains("cannot get a certificate for `a.example`"), "{said}");
    assert!(shown(&stage, "a.example", &before.roots()).await.is_some(), "{said}");
}

#[tokio::test]
async fn a_certificate_is_given_by_http_01_though_all_else_is_sent_to_https() {
    if !Pebble::is_here() {
        return;
    }
    let store = Folder::new("acme-store").unwrap();
    let clear = free_address().unwrap();
    let pebble = Pebble::start(clear.port(), 1).await;
    let roots = pebble.roots().await;
    let acme = [
        "hosts = \"c.example\"".to_owned(),
        "challenge = \"http-01\"".to_owned(),
        format!("store = \"{}\"", store.path().display()),
    ];
    let stage = self::stage(&pebble, &acme, &["redirect = \"on\"".to_owned()]).await;
    let passing = tokio::spawn(pass(clear, stage.gateway.address));
    let given = async || shown(&stage, "c.example", &roots).await.is_some();
    let given = until("a certificate is given", PATIENCE, given).await;
    passing.abort();
    given.unwrap_or_else(|why| panic!("{why}{}\n{}", stage.words(), pebble.words()));
}

#[tokio::test]
async fn a_host_that_a_reload_adds_is_given_a_certificate_beside_those_that_there_are() {
    if !Pebble::is_here() {
        return;
    }
    let secured = free_address().unwrap();
    let store = Folder::new("acme-store").unwrap();
    let pebble = Pebble::start(1, secured.port()).await;
    let roots = pebble.roots().await;
    let acme =
        ["hosts = [\"a.example\"]".to_owned(), format!("store = \"{}\"", store.path().display())];
    let mut stage = self::stage(&pebble, &acme, &[format!("listen = [\"{secured}\"]")]).await;
    stage.secured = secured;
    let is_given = async |stage: &Stage, host: &str| {
        let given = async || shown(stage, host, &roots).await.is_some();
        let given = until("a certificate is given", PATIENCE, given).await;
        given.unwrap_or_else(|why| panic!("{why}{}\n{}", stage.words(), pebble.words()));
    };
    is_given(&stage, "a.example").await;
    let first = shown(&stage, "a.example", &roots).await;
    let more = [("tls.acme", "hosts = [\"a.example\", \"b.example\"]")];
    let (is_taken, said) = stage.reload(&more).await;
    assert!(is_taken, "{said}");
    is_given(&stage, "b.example").await;
    assert_eq!(shown(&stage, "a.example", &roots).await, first, "it is not asked for again");
    assert_eq!(stage.metric("forebay_acme_issued_total").await, 2);
    let (is_taken, said) = stage.reload(&[("tls.acme", "hosts = [\"b.example\"]")]).await;
    assert!(is_taken, "{said}");
    assert!(shown(&stage, "a.example", &roots).await.is_none(), "nobody wants it any more");
    assert!(shown(&stage, "b.example", &roots).await.is_some());
}
