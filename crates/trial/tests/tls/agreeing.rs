//! Which version, which protocol and which certificate are agreed on.

use forebay_trial::patience::until;
use tokio_rustls::rustls::{AlertDescription, version};

use crate::frames;
use crate::support::{PATIENCE, Stage, text};

#[tokio::test]
async fn a_request_over_tls_is_one_by_https_everywhere() {
    let stage = Stage::with(&[&["a.example"]], &[("tls", "hsts = \"1h\"")]).await;
    let answer = stage.get("a.example", "/x").await;
    assert_eq!(answer.head.status().unwrap(), 200, "{}", stage.words());
    let heard = text(&answer).to_ascii_lowercase();
    assert!(heard.contains("x-forwarded-proto: https\r\n"), "{heard}");
    assert!(heard.contains("proto=https"), "{heard}");
    assert!(heard.contains("host: a.example\r\n"), "{heard}");
    assert_eq!(answer.head.field("strict-transport-security").as_deref(), Some("max-age=3600"));
    let logged = async || stage.words().contains("https://a.example/x");
    until("the log says it", PATIENCE, logged).await.unwrap();
}

#[tokio::test]
async fn what_was_asked_for_by_https_answers_nobody_in_the_clear() {
    let stage = Stage::start(&[&["a.example"]]).await;
    stage.get("a.example", "/x").await;
    let again = stage.get("a.example", "/x").await;
    assert!(again.head.field("cache-status").unwrap().contains("hit"), "{}", again.shown());
    let mut client = forebay_trial::client::Client::connect(stage.gateway.address).await.unwrap();
    let request = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let clear = client.ask(request, PATIENCE).await.unwrap();
    assert!(clear.head.field("cache-status").unwrap().contains("fwd"), "{}", clear.shown());
    assert!(text(&clear).to_ascii_lowercase().contains("x-forwarded-proto: http\r\n"));
    assert_eq!(clear.head.field("strict-transport-security"), None);
}

#[tokio::test]
async fn http2_is_spoken_where_both_sides_say_so_and_nowhere_else() {
    let stage = Stage::start(&[&["a.example"]]).await;
    let check = async |offered: &[&str], agreed: Option<&[u8]>| {
        let stream = stage.secure("a.example", stage.terms(offered)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed, "{offered:?}");
    };
    check(&["h2", "http/1.1"], Some(b"h2")).await;
    check(&["http/1.1", "h2"], Some(b"h2")).await;
    check(&["http/1.1"], Some(b"http/1.1")).await;
    check(&[], None).await;
    let alert = stage.alert("a.example", stage.terms(&["spdy/3", "acme-tls/1"])).await;
    assert_eq!(alert, AlertDescription::NoApplicationProtocol);
    let mut stream = stage.secure("a.example", stage.terms(&["h2"])).await.unwrap();
    let block = frames::ask(&mut stream, "a.example").await;
    assert!(frames::is_status(&block, 200), "{block:x?}");
}

#[tokio::test]
async fn the_least_version_is_the_operators() {
    let stage = Stage::with(&[&["a.example"]], &[("tls", "min_version = \"1.3\"")]).await;
    let alert = stage.alert("a.example", stage.terms_of(&[], &[&version::TLS12])).await;
    assert_eq!(alert, AlertDescription::ProtocolVersion);
    stage.secure("a.example", stage.terms_of(&[], &[&version::TLS13])).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_chosen_by_the_name_then_by_the_wildcard() {
    let stage = Stage::start(&[&["*.a.example"], &["x.a.example", "b.example"]]).await;
    let check = async |host: &str, place: usize| {
        let stream = stage.secure(host, stage.terms(&[])).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap();
        assert_eq!(shown[0], stage.issued[place].der, "{host}");
    };
    check("y.a.example", 0).await;
    check("x.a.example", 1).await;
    check("b.example", 1).await;
    check("B.EXAMPLE", 1).await;
}

#[tokio::test]
async fn an_unknown_name_is_refused_unless_there_is_a_default() {
    let stage = Stage::start(&[&["a.example"]]).await;
    let alert = stage.alert("other.example", stage.terms(&[])).await;
    assert_eq!(alert, AlertDescription::UnrecognisedName);
    let default =
        [("certificate 1", "default = \"on\""), ("certificate 1", "hosts = \"b.example\"")];
    let stage = Stage::with(&[&["a.example"], &["b.example", "other.example"]], &default).await;
    let stream = stage.secure("other.example", stage.terms(&[])).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0], stage.issued[1].der);
}
