//! The admin API as a stranger, a page of a browser and a broken client find it.

use forebay_trial::client::Client;
use forebay_trial::wire::Message;
use serde_json::Value;

use super::support::*;

const JSON: &str = "Content-Type: application/json";

/// What a node answers for a call with these fields and this body.
async fn call(fleet: &Fleet, line: &str, fields: &[&str], body: &str) -> Message {
    let mut request = format!("{line} HTTP/1.1\r\n");
    for field in fields {
        request += &format!("{field}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut client = Client::connect(fleet.nodes.node(0).admin()).await.unwrap();
    client.ask(&request, PATIENCE).await.unwrap()
}

/// It is refused with this status, in JSON, and nothing is written.
async fn refused(fleet: &Fleet, line: &str, fields: &[&str], body: &str, status: u16) {
    let answer = call(fleet, line, fields, body).await;
    let shown = answer.shown();
    assert_eq!(answer.head.status(), Ok(status), "{line} {fields:?}: {shown}");
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{shown}"));
    assert!(said["error"].as_str().is_some_and(|words| !words.is_empty()), "{shown}");
    assert_eq!(fleet.store.keys("*").await.unwrap(), Vec::<String>::new(), "{line} {fields:?}");
}

const VALUE: &str = "{\"value\": \"127.0.0.1:9\"}";

#[tokio::test]
async fn csrf_a_page_in_the_operators_browser_changes_nothing() {
    // It can send what a form sends, and what a script sends without leave; it knows no token, and
    // even if it did, it cannot hide where it comes from.
    for more in ["", &format!("admin_token = \"{TOKEN}\"\n")] {
        let fleet = Fleet::told(1, more).await;
        let host = format!("Host: {}", fleet.nodes.node(0).admin());
        let line = "PUT /routes/a.example";
        let said = format!("Authorization: Bearer {TOKEN}");
        refused(&fleet, line, &[&host, JSON], VALUE, 401).await;
        for origin in ["http://evil.example", "null", "http://127.0.0.1:8081"] {
            let origin = format!("Origin: {origin}");
            refused(&fleet, line, &[&host, JSON, &origin], VALUE, 403).await;
            refused(&fleet, line, &[&host, JSON, &origin, &said], VALUE, 403).await;
            refused(&fleet, "GET /routes", &[&host, &origin], "", 403).await;
        }
        for method in ["POST", "GET"] {
            let line = format!("{method} /routes/a.example?value=127.0.0.1:9");
            let kind = "Content-Type: application/x-www-form-urlencoded";
            let status = if method == "POST" { 405 } else { 401 };
            refused(&fleet, &line, &[&host, kind], "value=127.0.0.1:9", status).await;
        }
    }
    let fleet = Fleet::start(1).await;
    let said = format!("Authorization: Bearer {TOKEN}");
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] {
        let kind = format!("Content-Type: {kind}");
        refused(&fleet, "PUT /routes/a.example", &["Host: a", &said, &kind], VALUE, 415).await;
    }
}

#[tokio::test]
async fn dns_rebinding_a_name_that_leads_here_reads_and_changes_nothing() {
    let fleet = Fleet::told(1, "").await;
    for host in ["evil.example", "127.0.0.1.evil.example:8081", "localhost.evil.example", "0.0.0.0"]
    {
        let host = format!("Host: {host}");
        refused(&fleet, "GET /metrics", &[&host], "", 421).await;
        refused(&fleet, "GET /routes", &[&host], "", 421).await;
        refused(&fleet, "PUT /routes/a.example", &[&host, JSON], VALUE, 421).await;
        refused(&fleet, "DELETE /routes/a.example", &[&host, JSON], "", 421).await;
    }
}

#[tokio::test]
async fn strangers_neither_see_nor_change_routes() {
    let fleet = Fleet::start(1).await;
    for said in ["X: y", "Authorization: Bearer x", "Authorization: Bearer", "Cookie: token=x"] {
        refused(&fleet, "GET /routes", &["Host: a", said], "", 401).await;
        refused(&fleet, "GET /routes/watch", &["Host: a", said], "", 401).await;
        refused(&fleet, "GET /routes/a.example", &["Host: a", said], "", 401).await;
        refused(&fleet, "PUT /routes/a.example", &["Host: a", said, JSON], VALUE, 401).await;
        refused(&fleet, "DELETE /routes/a.example", &["Host: a", said, JSON], "", 401).await;
    }
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_json() {
    let fleet = Fleet::start(1).await;
    let said = format!("Authorization: Bearer {TOKEN}");
    let fields = ["Host: a", said.as_str(), JSON];
    let long = format!("{{\"value\": \"{}\"}}", "x".repeat(2 << 20));
    let wide = format!("{{\"value\": \"{}\"}}", "x".repeat(100 << 10));
    for (line, body, status) in [
        ("GET /route", "", 404),
        ("GET /routes/a/b", "", 404),
        ("POST /routes", VALUE, 405),
        ("GET /routes?limit=0", "", 400),
        ("GET /routes?limit=99999999999999999999", "", 400),
        ("GET /routes?limits=1", "", 400),
        ("PUT /routes/a.example", "", 400),
        ("PUT /routes/a.example", "{", 400),
        ("PUT /routes/a.example", "[]", 400),
        ("PUT /routes/a.example", "{\"value\": \"127.0.0.1:9\", \"ttl\": 1}", 400),
        ("PUT /routes/a.example", "{\"value\": 1}", 422),
        ("PUT /routes/a.example", "{\"value\": [\"127.0.0.1:9\"]}", 422),
        ("PUT /routes/a.example", "{\"value\": \"127.0.0.1:9\", \"ttl_ms\": 0}", 422),
        ("PUT /routes/a.example", &wide, 422),
        ("PUT /routes/a.example", &long, 413),
        ("PUT /routes/%", VALUE, 400),
        ("PUT /routes/%ff", VALUE, 400),
        ("PUT /routes/a%00b", VALUE, 422),
        ("PUT /routes/a%0d%0aSET%20x%20y", VALUE, 422),
        ("DELETE /routes/%2e%2e%2fx", "", 422),
        ("GET /routes/%2e%2e%2fx", "", 422),
    ] {
        refused(&fleet, line, &fields, body, status).await;
    }
}

#[tokio::test]
async fn the_description_of_the_calls_is_served_to_anyone() {
    let fleet = Fleet::start(1).await;
    let answer = call(&fleet, "GET /openapi.json", &["Host: a"], "").await;
    assert_eq!(answer.head.field("content-type").as_deref(), Some("application/json"));
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(said["paths"]["/routes/{host}"]["put"].is_object(), "{said}");
}

#[tokio::test]
async fn a_node_that_reads_no_routes_says_so() {
    let nodes = forebay_trial::nodes::Nodes::start(1, |_| {
        let file = format!("admin_token = \"{TOKEN}\"\n[[route]]\nto = \"localhost:9\"\n");
        forebay_trial::nodes::Orders::File(file)
    });
    let nodes = nodes.await.unwrap();
    for words in [&["list"][..], &["get", "a"], &["set", "a", "b:1"], &["delete", "a"], &["watch"]]
    {
        let typed = type_in(nodes.node(0).admin(), Some(TOKEN), words).await;
        assert_eq!(typed.status, 1, "{typed:?}");
        let said = "refused with 404: this node reads no routes in Redis";
        assert!(typed.complained.contains(said), "{typed:?}");
    }
}
