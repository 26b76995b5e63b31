//! Requests that are well meant: what comes back, and that it is what HTTP/1 and HTTP/2 give.

use forebay_trial::client::Client as Http1;
use forebay_trial::patience::until;
use forebay_trial::wire::made_body;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::client::{Answer, CONTENT, Client, ON, answer, field, frame, get, head, request, shake};
use super::origin::{BIG, Origin};
use crate::support::{PATIENCE, Stage};

const HOST: &str = "a.example";

/// A stage with HTTP/3 before an origin that does what the path says.
async fn stage(origin: &Origin, lines: &[(&str, &str)]) -> Stage {
    let route = origin.route();
    let own = [ON, ("route", route.as_str())];
    Stage::with(&[&[HOST]], &[&own[..], lines].concat()).await
}

fn pieces(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(10_000).flat_map(|bytes| frame(CONTENT, bytes)).collect()
}

#[tokio::test]
async fn a_miss_and_a_hit_say_what_they_are() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    let miss = client.get(HOST, "/x").await;
    assert_eq!((miss.status(), miss.text()), (200, "you asked for /x\n".into()));
    assert!(miss.field("cache-status").unwrap().contains("fwd=uri-miss"), "{miss:?}");
    let hit = client.get(HOST, "/x").await;
    assert_eq!((hit.status(), hit.text()), (200, miss.text()));
    assert!(hit.field("cache-status").unwrap().contains("; hit"), "{hit:?}");
    assert!(hit.field("age").is_some() && hit.field("date").is_some(), "{hit:?}");
    // A client that speaks HTTP/1 over TLS shares it.
    let shared = stage.get(HOST, "/x").await;
    assert!(shared.head.field("cache-status").unwrap().contains("; hit"), "{}", shared.shown());
    let logged = |version: &str| {
        stage.words().matches(&format!("https://a.example/x HTTP/{version}\"")).count()
    };
    let all = async || (logged("3.0"), logged("1.1")) == (2, 1);
    until("the log has all three, and their versions", PATIENCE, all).await.unwrap();
    assert_eq!(stage.metric("forebay_connections_h3_total").await, 1);
}

#[tokio::test]
async fn the_origin_hears_that_http_3_was_spoken() {
    let stage = Stage::with(&[&[HOST]], &[ON]).await;
    let heard = Client::of(&stage, HOST).await.get(HOST, "/x").await.text().to_ascii_lowercase();
    assert!(heard.contains("via: 3.0 "), "{heard}");
    assert!(heard.contains("x-forwarded-proto: https\r\n"), "{heard}");
    assert!(heard.contains("x-forwarded-for: 127.0.0.1\r\n"), "{heard}");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    for path in ["/x", "/big"] {
        client.get(HOST, path).await;
        let answer = client.ask(&request("HEAD", HOST, path, &[])).await.unwrap();
        assert_eq!((answer.status(), answer.body.len()), (200, 0));
        let length = if path == "/x" { "you asked for /x\n".len() } else { BIG };
        assert_eq!(answer.field("content-length"), Some(length.to_string().as_str()));
    }
}

#[tokio::test]
async fn a_body_and_trailers_go_both_ways() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    let body = made_body(300_000);
    let check = |answer: &Answer, heard: &str| {
        assert_eq!(answer.status(), 200);
        assert!(answer.body == body, "{} bytes", answer.body.len());
        assert_eq!(answer.field("x-heard"), Some(heard));
        let trailers = answer.trailers.as_ref().expect("trailers");
        assert_eq!(field(trailers, "x-length"), Some("300000"));
    };
    let said = request("POST", HOST, "/echo", &["content-length: 300000", "te: trailers"]);
    check(&client.ask(&[said, pieces(&body)].concat()).await.unwrap(), "false");
    let unsaid = request("POST", HOST, "/echo", &["te: trailers", "trailer: x-sum"]);
    let trailers = head(&["x-sum: 7"]);
    check(&client.ask(&[unsaid, pieces(&body), trailers].concat()).await.unwrap(), "true");
}

#[tokio::test]
async fn requests_without_a_body_are_such_however_they_say_it() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    for (method, more) in [
        ("POST", &["content-length: 0"][..]),
        ("POST", &[]),
        ("PUT", &["content-length: 0"]),
        ("DELETE", &[]),
        ("GET", &["content-length: 0"]),
    ] {
        let answer = client.ask(&request(method, HOST, "/echo", more)).await.unwrap();
        assert_eq!((answer.status(), answer.body.len()), (200, 0), "{method} {more:?}");
    }
    // The end of the stream comes later than the head.
    let (mut send, mut receive) = client.begin(&get(HOST, "/x")).await;
    tokio::task::yield_now().await;
    send.finish().unwrap();
    assert_eq!(answer(&mut receive).await.unwrap().status(), 200);
    // Frames that mean nothing are where they may be.
    let grease = [0x21, 3, 1, 2, 3];
    let answer = client.ask(&[&grease[..], &get(HOST, "/y"), &grease].concat()).await.unwrap();
    assert_eq!(answer.text(), "you asked for /y\n");
}

#[tokio::test]
async fn a_large_answer_comes_whole_to_a_slow_reader() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let mut bounds = quinn::TransportConfig::default();
    bounds.stream_receive_window(quinn::VarInt::from_u32(20_000));
    let client = Client::with(&stage, HOST, bounds).await;
    for _ in 0..2 {
        let mut receive = client.send(&get(HOST, "/big")).await;
        // It waits for a window before it is read at all.
        let other = client.get(HOST, "/x").await;
        assert_eq!(other.status(), 200);
        let answer = answer(&mut receive).await.unwrap();
        assert!(answer.body == made_body(BIG), "{} bytes", answer.body.len());
    }
}

#[tokio::test]
async fn many_requests_are_answered_at_once_each_with_its_own() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    let paths: Vec<String> = (0..300).map(|number| format!("/{number}")).collect();
    let mut asked = Vec::new();
    for path in &paths {
        asked.push(client.send(&get(HOST, path)).await);
    }
    for (path, mut receive) in paths.iter().zip(asked) {
        let answer = answer(&mut receive).await.unwrap();
        assert_eq!(answer.text(), format!("you asked for {path}\n"));
    }
}

#[tokio::test]
async fn interim_heads_come_before_the_answer() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    let early = client.get(HOST, "/early").await;
    let statuses: Vec<_> = early.heads.iter().map(|head| field(head, ":status").unwrap()).collect();
    assert_eq!(statuses, ["103", "200"]);
    assert_eq!(field(&early.heads[0], "link"), Some("</a.css>"));
    // Who waits to be asked for a body is asked.
    let lines = ["content-length: 5", "expect: 100-continue"];
    let (mut send, mut receive) = client.begin(&request("POST", HOST, "/echo", &lines)).await;
    let mut first = [0; 2];
    timeout(PATIENCE, receive.read_exact(&mut first)).await.expect("it is asked").unwrap();
    assert_eq!(first[0], 1, "a head");
    let mut asked = vec![0; usize::from(first[1])];
    receive.read_exact(&mut asked).await.unwrap();
    // `:status: 100` is entry 63 of the static table.
    assert_eq!(asked, [0, 0, 0xff, 0]);
    send.write_all(&frame(CONTENT, b"hello")).await.unwrap();
    send.finish().unwrap();
    assert_eq!(answer(&mut receive).await.unwrap().text(), "hello");
}

#[tokio::test]
async fn an_answer_that_breaks_is_seen_to_be_broken() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    let ended = client.ask(&get(HOST, "/broken")).await.unwrap_err();
    assert_eq!(ended, super::client::Ended::Reset(0x102));
    assert_eq!(client.get(HOST, "/x").await.status(), 200);
}

#[tokio::test]
async fn a_client_that_gives_up_ends_its_exchange_alone() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[]).await;
    let client = Client::of(&stage, HOST).await;
    let mut held = client.send(&get(HOST, "/held")).await;
    let under_way = async || stage.metric("forebay_requests").await == 1;
    until("the request is heard", PATIENCE, under_way).await.unwrap();
    held.stop(quinn::VarInt::from_u32(0x10c)).unwrap();
    let gone = async || stage.metric("forebay_clients_gone_total").await == 1;
    until("the client is seen to be gone", PATIENCE, gone).await.unwrap();
    assert_eq!(client.get(HOST, "/x").await.status(), 200);
    origin.held.add_permits(1);
}

#[tokio::test]
async fn clients_that_come_by_tcp_are_told_of_it() {
    let origin = Origin::start().await;
    let stage = stage(&origin, &[("tls", "http3_port = 8443")]).await;
    let answer = stage.get(HOST, "/x").await;
    assert_eq!(answer.head.field("alt-svc").as_deref(), Some("h3=\":8443\"; ma=86400"));
    let mut clear = Http1::connect(stage.gateway.address).await.unwrap();
    let asked = format!("GET /x HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let clear = clear.ask(&asked, PATIENCE).await.unwrap();
    assert_eq!(clear.head.field("alt-svc"), None);
}

#[tokio::test]
async fn certificates_are_those_of_tcp_and_renewed_with_them() {
    let stage = Stage::with(&[&[HOST], &["b.example"]], &[ON]).await;
    let shown = async |host: &str| {
        let (_endpoint, connection) = shake(&stage, host).await.unwrap();
        let shown = connection.peer_identity().unwrap();
        let chain = shown.downcast::<Vec<CertificateDer<'static>>>().unwrap();
        chain[0].clone()
    };
    assert_eq!(shown(HOST).await, stage.issued[0].der);
    assert_eq!(shown("b.example").await, stage.issued[1].der);
    assert!(shake(&stage, "other.example").await.is_err());
    let renewed = stage.authority.issue(&[HOST]);
    stage.replace(0, &renewed);
    let taken = async || shown(HOST).await == renewed.der;
    until("the renewed one is shown", PATIENCE, taken).await.unwrap();
    // A host of another certificate is asked for on another connection.
    let client = Client::of(&stage, HOST).await;
    assert_eq!(client.get("b.example", "/").await.status(), 421);
    assert_eq!(client.get(HOST, "/").await.status(), 200);
}
