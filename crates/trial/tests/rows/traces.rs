//! Traces over real sockets: what origins are told of them, and what a collector gets.

use std::sync::{Arc, Mutex};

use forebay_trial::wire::Message;
use serde_json::Value;

use crate::support::{Origin, PATIENCE, Stage, request, stage, stage_with, until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const KEPT: &[&str] = &["Cache-Control: max-age=60"];

async fn asked(stage: &Stage, method: &str, path: &str, fields: &[&str]) {
    stage.ask(&request(method, path, fields)).await;
}

/// A collector, and the spans that it was sent.
async fn collector() -> (Origin, Arc<Mutex<Vec<Value>>>) {
    let spans: Arc<Mutex<Vec<Value>>> = Arc::default();
    let taken = Arc::clone(&spans);
    let origin = Origin::start(move |sent: Message, out| {
        let said: Value = serde_json::from_slice(&sent.body).expect("spans are JSON");
        let all = said["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned();
        assert!(sent.head.start.starts_with("POST /v1/traces "), "{}", sent.head.start);
        taken.lock().expect("no span panics").extend(all.expect("there are spans"));
        async move { out.send(200, &["Content-Type: application/json"], "{}").await }
    })
    .await;
    (origin, spans)
}

/// The value of an attribute of a span, as text.
fn attribute(span: &Value, key: &str) -> String {
    let all = span["attributes"].as_array().expect("a span has attributes");
    let value = all.iter().find(|one| one["key"] == key).map(|one| &one["value"]);
    let value = value.and_then(|it| it["stringValue"].as_str().or(it["intValue"].as_str()));
    value.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_a_client_says_of_its_trace_reaches_the_origin_as_it_came() {
    let stage = stage(&[], |_, out| async move { out.send(200, KEPT, "x").await }).await;
    let parent = format!("traceparent: {PARENT}");
    for (method, path) in [("GET", "/kept"), ("POST", "/passed")] {
        asked(&stage, method, path, &[&parent, "tracestate: a=1,b@c=2"]).await;
    }
    for heard in stage.origin.heard() {
        assert_eq!(heard.head.field("traceparent").as_deref(), Some(PARENT));
        assert_eq!(heard.head.field("tracestate").as_deref(), Some("a=1,b@c=2"));
    }
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn a_trace_that_is_not_well_formed_goes_no_further() {
    let stage = stage(&[], |_, out| async move { out.send(200, KEPT, "x").await }).await;
    let twice = format!("traceparent: {PARENT}");
    let upper = format!("traceparent: {}", PARENT.to_uppercase());
    for (n, fields) in [
        &["traceparent: 00-x", "tracestate: a=1"][..],
        &[&twice, &twice],
        &[&upper],
        &["tracestate: a=1"],
    ]
    .into_iter()
    .enumerate()
    {
        asked(&stage, "GET", &format!("/{n}"), fields).await;
    }
    for heard in stage.origin.heard() {
        assert_eq!(heard.head.field("traceparent"), None, "{}", heard.shown());
        assert_eq!(heard.head.field("tracestate"), None, "{}", heard.shown());
    }
}

#[tokio::test]
async fn a_collector_gets_a_span_for_each_exchange_and_each_fetch() {
    let (collector, spans) = collector().await;
    let endpoint = format!("endpoint = \"http://{}\"", collector.address);
    let tables: &[(&str, &[&str])] = &[("traces", &[&endpoint, "sample = 1.0"])];
    let stage = stage_with(tables, |_, out| async move { out.send(200, KEPT, "x").await }).await;
    // Whether a stranger keeps its trace does not count.
    let parent = format!("traceparent: {}00", &PARENT[..53]);
    for _ in 0..2 {
        asked(&stage, "GET", "/a", &[&parent, "tracestate: a=1"]).await;
    }
    let have = |count: usize| spans.lock().expect("no span panics").len() >= count;
    until("three spans come", || have(3)).await;
    let spans = spans.lock().expect("no span panics").clone();
    assert!(spans.iter().all(|span| span["traceId"] == TRACE), "{spans:?}");
    let servers: Vec<&Value> = spans.iter().filter(|span| span["kind"] == 2).collect();
    let client = spans.iter().find(|span| span["kind"] == 3).expect("the fetch has a span");
    assert_eq!((servers.len(), spans.len()), (2, 3));
    assert!(servers.iter().all(|span| span["parentSpanId"] == "b7ad6b7169203331"));
    let cause = servers.iter().find(|span| span["spanId"] == client["parentSpanId"]);
    let cause = cause.expect("an exchange caused the fetch");
    assert_eq!(attribute(cause, "forebay.result"), "miss");
    assert_eq!(attribute(cause, "http.response.status_code"), "200");
    assert_eq!(attribute(cause, "network.protocol.version"), "1.1");
    assert!(servers.iter().any(|span| attribute(span, "forebay.result") == "hit"));
    let url = attribute(client, "url.full");
    assert!(url.ends_with("/a") && url.starts_with("http://"), "{url}");
    // The origin's parent is the span of the fetch.
    let heard = stage.origin.heard();
    let said = heard[0].head.field("traceparent").expect("the origin is told");
    let span_id = client["spanId"].as_str().expect("it has an id");
    assert_eq!(said, format!("00-{TRACE}-{span_id}-01"));
    assert_eq!(heard[0].head.field("tracestate").as_deref(), Some("a=1"));
    stage.measures("forebay_trace_spans_total{result=\"sent\"}", |sent| sent == 3).await;
}

#[tokio::test]
async fn a_listed_peer_says_whether_its_trace_is_kept() {
    let (collector, spans) = collector().await;
    let endpoint = format!("endpoint = \"http://{}\"", collector.address);
    let tables: &[(&str, &[&str])] = &[
        ("gateway", &["trusted_peers = [\"127.0.0.1\"]"]),
        ("traces", &[&endpoint, "sample = 0.0"]),
    ];
    let stage = stage_with(tables, |_, out| async move { out.send(200, KEPT, "x").await }).await;
    asked(&stage, "GET", "/not", &[&format!("traceparent: {}00", &PARENT[..53])]).await;
    asked(&stage, "GET", "/none", &[]).await;
    asked(&stage, "GET", "/kept", &[&format!("traceparent: {PARENT}")]).await;
    stage.measures("forebay_trace_spans_total{result=\"sent\"}", |sent| sent == 2).await;
    let spans = spans.lock().expect("no span panics").clone();
    assert!(spans.iter().all(|span| attribute(span, "url.full").ends_with("/kept")), "{spans:?}");
    let heard = stage.origin.heard();
    let said = |n: usize| heard[n].head.field("traceparent").expect("each is told");
    assert!(said(0).ends_with("-00") && said(1).ends_with("-00") && said(2).ends_with("-01"));
}

#[tokio::test]
async fn a_collector_that_is_gone_is_in_nobodys_way() {
    let tables: &[(&str, &[&str])] =
        &[("traces", &["endpoint = \"http://127.0.0.1:9\"", "sample = 1"])];
    let stage = stage_with(tables, |_, out| async move { out.send(200, KEPT, "x").await }).await;
    let mut client = stage.client().await;
    for _ in 0..200 {
        let answer = client.ask(&request("GET", "/a", &[]), PATIENCE).await;
        assert_eq!(answer.expect("an answer comes").body, b"x");
    }
    stage.measures("forebay_trace_spans_total{result=\"failed\"}", |failed| failed > 0).await;
}
