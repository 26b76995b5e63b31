use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A client for a server that says this to whatever it is asked, and what it was asked.
async fn asked(said: &'static str) -> (AdminClient, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") && !heard.ends_with(b"}") {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            heard.extend_from_slice(&bytes[..read]);
        }
        stream.write_all(said.as_bytes()).await.unwrap();
        String::from_utf8(heard).unwrap()
    });
    (AdminClient { place, token: Some("t0ken".to_owned()) }, heard)
}

#[tokio::test]
async fn a_call_says_the_token_and_reads_json() {
    let (client, heard) = asked("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"a\":1}\n").await;
    let body = serde_json::json!({ "value": "x" });
    let answered = client.ask(Method::PUT, "/routes/a", Some(&body)).await.unwrap();
    assert_eq!((answered.status.as_u16(), answered.value["a"].as_u64()), (200, Some(1)));
    let heard = heard.await.unwrap().to_lowercase();
    assert!(heard.starts_with("put /routes/a http/1.1\r\n"), "{heard}");
    let host = format!("host: {}", client.place);
    for line in [&host, "authorization: bearer t0ken", "content-type: application/json"] {
        assert!(heard.contains(&format!("{line}\r\n")), "no `{line}` in {heard}");
    }
    assert!(heard.ends_with("{\"value\":\"x\"}"), "{heard}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_the_node() {
    let said = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 14\r\n\r\n{\"error\":\"no\"}";
    let (client, _heard) = asked(said).await;
    let failure = client.ask(Method::GET, "/routes", None).await.unwrap_err();
    assert_eq!(failure.to_string(), "refused with 401: no; the one that was said is wrong");
}

#[tokio::test]
async fn what_is_no_admin_listener_is_said() {
    let (client, _heard) = asked("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>").await;
    let failure = client.ask(Method::GET, "/routes", None).await.unwrap_err().to_string();
    assert!(failure.ends_with("its answer is no JSON; is it an admin listener?"), "{failure}");
}

#[tokio::test]
async fn a_node_that_is_not_up_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    drop(listener);
    let client = AdminClient { place: place.clone(), token: None };
    let failure = client.ask(Method::GET, "/routes", None).await.unwrap_err();
    let said = format!(
        "cannot reach the admin listener on `{place}`: connection refused; is `forebay run` up?"
    );
    assert_eq!(failure.to_string(), said);
}

#[tokio::test]
async fn lines_are_given_one_by_one_until_enough() {
    let said = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                4\r\n1\n2\n\r\n1\r\n3\r\n2\r\n4\n\r\n2\r\n5\n\r\n0\r\n\r\n";
    let (client, _heard) = asked(said).await;
    let mut seen = Vec::new();
    let each = |value: &Value| {
        seen.push(value.as_u64().unwrap());
        if seen.len() == 3 { Enough::Yes } else { Enough::No }
    };
    client.follow("/routes/watch", each).await.unwrap();
    assert_eq!(seen, [1, 2, 34]);
}

#[test]
fn a_place_is_an_address_or_a_name_with_a_port() {
    let check = |said: &str, expected: Option<&str>| {
        assert_eq!(place(said).ok().as_deref(), expected, "{said}");
    };
    check("127.0.0.1:8081", Some("127.0.0.1:8081"));
    check("http://127.0.0.1:8081/", Some("127.0.0.1:8081"));
    check("[::1]:8081", Some("[::1]:8081"));
    check("node-1.internal:8081", Some("node-1.internal:8081"));
    for said in ["", "127.0.0.1", "a:b", ":8081", "a b:1", "https://a:1", "a/b:1", "a:1\r\nx:1"] {
        check(said, None);
    }
}
