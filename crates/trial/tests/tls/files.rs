//! Certificates in files, while the program runs and when it starts.

use forebay_trial::patience::until;
use forebay_trial::process::Process;

use crate::authority::{Authority, Issued};
use crate::support::{PATIENCE, Stage, program};

async fn shown(stage: &Stage, host: &str, one: &Issued) -> bool {
    let stream = stage.secure(host, stage.terms(&[])).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0] == one.der
}

#[tokio::test]
async fn a_changed_file_is_taken_without_a_restart() {
    let stage = Stage::start(&[&["a.example"], &["b.example"]]).await;
    let mut open = stage.client("a.example").await;
    let next = stage.authority.issue(&["a.example"]);
    stage.replace(0, &next);
    let taken = async || shown(&stage, "a.example", &next).await;
    until("the next certificate is shown", PATIENCE, taken).await.unwrap();
    assert!(shown(&stage, "b.example", &stage.issued[1]).await);
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let answer = open.ask(request, PATIENCE).await.unwrap();
    assert_eq!(answer.head.status().unwrap(), 200, "who was connected before is served");
}

#[tokio::test]
async fn a_wrong_file_leaves_the_last_good_certificate_and_is_told() {
    let stage = Stage::start(&[&["a.example"]]).await;
    let failed = async |least: u64| {
        let seen = async || stage.metric("forebay_tls_reloads_failed_total").await >= least;
        until("the failure is counted", PATIENCE, seen).await.unwrap();
        assert!(shown(&stage, "a.example", &stage.issued[0]).await);
    };
    stage.folder.write("0.key", &stage.authority.issue(&["a.example"]).key).unwrap();
    failed(1).await;
    assert!(stage.words().contains("the key is another certificate's"), "{}", stage.words());
    stage.folder.write("0.pem", "nothing of the kind").unwrap();
    failed(2).await;
    std::fs::remove_file(stage.folder.path().join("0.pem")).unwrap();
    failed(3).await;
    let next = stage.authority.issue(&["a.example"]);
    stage.replace(0, &next);
    let taken = async || shown(&stage, "a.example", &next).await;
    until("the next good certificate is shown", PATIENCE, taken).await.unwrap();
}

/// What the program says that cannot start with these two files.
async fn refusal(certificate: &str, key: &str) -> String {
    let folder = forebay_trial::folder::Folder::new("tls-refused").unwrap();
    let certificate = folder.write("c.pem", certificate).unwrap();
    let key = folder.write("k.pem", key).unwrap();
    let text = format!(
        "listen = [\"127.0.0.1:0\"]\nadmin = \"off\"\n[tls]\nlisten = [\"127.0.0.1:0\"]\n\
         [[tls.certificate]]\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n\
         [[route]]\nto = \"127.0.0.1:9\"\n",
        certificate.display(),
        key.display()
    );
    let file = folder.write("f.toml", &text).unwrap();
    let mut process =
        Process::start(&program(), &["run", "--config", &file.to_string_lossy()]).unwrap();
    let status = process.wait(PATIENCE).await.unwrap();
    assert!(!status.success(), "{}", process.output());
    process.output()
}

#[tokio::test]
async fn a_wrong_file_at_the_start_is_an_error_with_path_and_reason() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(&["a.example"]), authority.issue(&["a.example"]));
    let check = async |certificate: &str, key: &str, reason: &str| {
        let said = refusal(certificate, key).await;
        assert!(said.contains("c.pem") && said.contains(reason), "{said}");
    };
    check(&one.certificate, &other.key, "the key is another certificate's").await;
    check(&one.key, &one.key, "it holds no certificate").await;
    check(&one.certificate, &one.certificate, "its key cannot be read").await;
    check("", "", "it holds no certificate").await;
}
