//! What is said in the clear where TLS is spoken.

use forebay_trial::client::Client;

use crate::support::{PATIENCE, Stage};

const REDIRECT: &[(&str, &str)] = &[("tls", "redirect = \"on\""), ("tls", "redirect_port = 8443")];

#[tokio::test]
async fn who_comes_in_the_clear_is_sent_to_https() {
    let stage = Stage::with(&[&["a.example"]], REDIRECT).await;
    let check = async |request: &str, location: &str| {
        let mut client = Client::connect(stage.gateway.address).await.unwrap();
        let answer = client.ask(&format!("{request}\r\n\r\n"), PATIENCE).await.unwrap();
        assert_eq!(answer.head.status().unwrap(), 308, "{request}");
        assert_eq!(answer.head.field("location").as_deref(), Some(location), "{request}");
    };
    check("GET /x?y=%20z HTTP/1.1\r\nHost: A.example:8080", "https://a.example:8443/x?y=%20z")
        .await;
    check("GET //evil.example/ HTTP/1.1\r\nHost: a", "https://a:8443//evil.example/").await;
    check("GET http://b/c HTTP/1.1\r\nHost: a", "https://b:8443/c").await;
    check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0", "https://a:8443/").await;
    check("OPTIONS * HTTP/1.1\r\nHost: a", "https://a:8443/").await;
    assert_eq!(stage.get("a.example", "/").await.head.status().unwrap(), 200);
}

#[tokio::test]
async fn a_listed_peer_that_was_asked_by_https_is_not_sent_away() {
    let lines = [REDIRECT, &[("gateway", "trusted_peers = [\"127.0.0.1\"]")]].concat();
    let stage = Stage::with(&[&["a.example"]], &lines).await;
    let ask = async |field: &str| {
        let mut client = Client::connect(stage.gateway.address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        client.ask(&request, PATIENCE).await.unwrap().head.status().unwrap()
    };
    assert_eq!(ask("X-Forwarded-Proto: https\r\n").await, 200);
    assert_eq!(ask("X-Forwarded-Proto: http\r\n").await, 308);
    assert_eq!(ask("").await, 308);
}
