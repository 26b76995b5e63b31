//! Another configuration of TLS while the program runs: for new handshakes, all of it or nothing.

use std::sync::Arc;

use forebay_trial::client::Client;
use forebay_trial::wire::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{AlertDescription, HandshakeKind, version};

use crate::support::{PATIENCE, Stage, shake, write};

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// Status and HSTS of an answer.
fn seen(answer: &Message) -> (u16, Option<String>) {
    (answer.head.status().unwrap(), answer.head.field("strict-transport-security"))
}

#[tokio::test]
async fn new_handshakes_see_another_configuration_and_open_connections_go_on() {
    let mut stage = Stage::start(&[&["a.example"]]).await;
    let mut open = stage.client("a.example").await;
    assert_eq!(seen(&open.ask(REQUEST, PATIENCE).await.unwrap()), (200, None));
    let lines = [
        ("tls", "min_version = \"1.3\""),
        ("tls", "hsts = \"1h\""),
        ("tls", "redirect = \"on\""),
        ("tls", "redirect_port = 8443"),
    ];
    let (is_taken, said) = stage.reload(&lines).await;
    assert!(is_taken, "{said}{}", stage.words());
    let alert = stage.alert("a.example", stage.terms_of(&[], &[&version::TLS12])).await;
    assert_eq!(alert, AlertDescription::ProtocolVersion);
    stage.secure("a.example", stage.terms_of(&[], &[&version::TLS13])).await.unwrap();
    let hsts = Some("max-age=3600".to_owned());
    assert_eq!(seen(&open.ask(REQUEST, PATIENCE).await.unwrap()), (200, hsts));
    let mut clear = Client::connect(stage.gateway.address).await.unwrap();
    let answer = clear.ask(REQUEST, PATIENCE).await.unwrap();
    assert_eq!(answer.head.status(), Ok(308), "{}", answer.shown());
    assert_eq!(stage.metric("forebay_tls_handshakes_total{end=\"done\"}").await, 2);
}

#[tokio::test]
async fn certificates_come_and_go_with_a_reload() {
    let mut stage = Stage::start(&[&["a.example"]]).await;
    let alert = stage.alert("b.example", stage.terms(&[])).await;
    assert_eq!(alert, AlertDescription::UnrecognisedName);
    write(&stage.folder, 1, &stage.authority.issue(&["b.example"]));
    let (is_taken, said) = stage.reload_with(1).await;
    assert!(is_taken, "{said}");
    assert_eq!(stage.get("b.example", "/").await.head.status(), Ok(200));
    let mut open = stage.client("b.example").await;
    write(&stage.folder, 0, &stage.authority.issue(&["c.example"]));
    let (is_taken, said) = stage.reload(&[("tls", "reload_interval = \"1h\"")]).await;
    assert!(is_taken, "{said}");
    // Files that have changed are taken by the reload itself.
    assert_eq!(stage.get("c.example", "/").await.head.status(), Ok(200));
    let alert = stage.alert("a.example", stage.terms(&[])).await;
    assert_eq!(alert, AlertDescription::UnrecognisedName);
    let request = "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n";
    assert_eq!(open.ask(request, PATIENCE).await.unwrap().head.status(), Ok(200));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_leaves_everything_as_it_was() {
    let mut stage = Stage::start(&[&["a.example"]]).await;
    let (one, other) =
        (stage.authority.issue(&["b.example"]), stage.authority.issue(&["b.example"]));
    stage.folder.write("1.pem", &one.certificate).unwrap();
    stage.folder.write("1.key", &other.key).unwrap();
    let taken = stage.reload(&[("tls", "hsts = \"1h\"")]).await;
    assert!(taken.0, "{}", taken.1);
    let (is_taken, said) = stage.reload_with(1).await;
    assert!(!is_taken && said.contains("refused with 422"), "{said}");
    assert!(said.contains("1.pem") && said.contains("the key is another certificate's"), "{said}");
    let answer = stage.get("a.example", "/").await;
    assert_eq!(seen(&answer), (200, Some("max-age=3600".to_owned())));
    let alert = stage.alert("b.example", stage.terms(&[])).await;
    assert_eq!(alert, AlertDescription::UnrecognisedName);
    // One that was shown before stays, whatever its files hold by then.
    stage.folder.write("1.key", &one.key).unwrap();
    stage.folder.write("0.key", "nothing of the kind").unwrap();
    let (is_taken, said) = stage.reload(&[("tls", "hsts = \"2h\"")]).await;
    assert!(is_taken, "{said}");
    let answer = stage.get("a.example", "/").await;
    assert_eq!(seen(&answer), (200, Some("max-age=7200".to_owned())));
    assert_eq!(stage.get("b.example", "/").await.head.status(), Ok(200));
}

#[tokio::test]
async fn a_session_of_before_a_reload_is_resumed_after_it() {
    let mut stage = Stage::start(&[&["a.example"]]).await;
    let terms = Arc::new(stage.terms(&["http/1.1"]));
    let kind = async |stage: &Stage| {
        let mut stream = shake(stage.secured, "a.example", terms.clone()).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        // What it can be resumed with comes with the answer.
        let closing = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
        stream.write_all(closing.as_bytes()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        kind
    };
    assert_eq!(kind(&stage).await, HandshakeKind::Full);
    let (is_taken, said) = stage.reload(&[("tls", "hsts = \"1h\"")]).await;
    assert!(is_taken, "{said}");
    assert_eq!(kind(&stage).await, HandshakeKind::Resumed);
}

#[tokio::test]
async fn tls_is_switched_off_and_on() {
    let mut stage = Stage::start(&[&["a.example"]]).await;
    let mut open = stage.client("a.example").await;
    let (tables, mut bare) = (stage.tables(), stage.tables());
    bare.retain(|table| !table.name.contains("tls"));
    let (is_taken, said) = stage.reload_to(bare).await;
    assert!(is_taken && said.contains(&format!("and no more at {}", stage.secured)), "{said}");
    assert!(TcpStream::connect(stage.secured).await.is_err());
    assert_eq!(open.ask(REQUEST, PATIENCE).await.unwrap().head.status(), Ok(200));
    let (is_taken, said) = stage.reload_to(tables).await;
    let opened = format!("clients are accepted at {}", stage.secured);
    assert!(is_taken && said.contains(&opened), "{said}");
    assert_eq!(stage.get("a.example", "/").await.head.status(), Ok(200));
}

#[tokio::test]
async fn who_speaks_for_others_is_another_from_the_next_connection_on() {
    let mut stage = Stage::start(&[&["a.example"]]).await;
    let mut open = Client::connect(stage.gateway.address).await.unwrap();
    open.ask(REQUEST, PATIENCE).await.unwrap();
    let (is_taken, said) = stage.reload(&[("proxy_protocol", "peers = [\"127.0.0.0/8\"]")]).await;
    assert!(is_taken, "{said}");
    assert_eq!(open.ask(REQUEST, PATIENCE).await.unwrap().head.status(), Ok(200));
    let ask = async |request: String| {
        let mut client = Client::connect(stage.gateway.address).await.unwrap();
        client.ask(&request, PATIENCE).await.unwrap()
    };
    assert_eq!(ask(REQUEST.to_owned()).await.head.status(), Ok(400));
    let led = ask(format!("PROXY TCP4 192.0.2.7 192.0.2.2 5000 443\r\n{REQUEST}")).await;
    assert_eq!(led.head.status(), Ok(200), "{}", led.shown());
}
