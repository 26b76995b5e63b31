//! Methods, and who may skip the lookup: P1.9 to P1.11, HEAD, unsafe methods.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{
    Gate, PATIENCE, Stage, check, head, pass, request, said, stage, status, with_body,
};

const FRESH: &[&str] = &["Cache-Control: max-age=60"];

/// Before an origin that numbers its answers.
async fn numbered(route: &[&str], fields: &'static [&'static str]) -> Stage {
    let asked = Arc::new(AtomicUsize::new(0));
    stage(route, move |_, out| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move { out.send(200, fields, number.to_string()).await }
    })
    .await
}

#[tokio::test]
async fn p1_9_the_skip_field_counts_only_with_its_secret_and_stores_anew() {
    let stage = numbered(&["skip = { field = \"x-skip\", secret = \"open-sesame\" }"], FRESH).await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "0");
    for wrong in ["X-Skip: TRUE", "X-Skip:", "X-Skip: open", "X-Skip: open-sesame, x"] {
        check(&stage.get("/a", &[wrong]).await, 200, &["; hit"], "0");
    }
    let skipped = stage.get("/a", &["X-Skip: open-sesame"]).await;
    check(&skipped, 200, &["fwd=bypass", "stored"], "1");
    stage.stored(2).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "1");
    // Neither the secret nor a wrong guess goes to the origin.
    check(&stage.get("/b", &["X-Skip: guess"]).await, 200, &["fwd=uri-miss"], "2");
    assert!(stage.origin.heard().iter().all(|heard| heard.head.field("x-skip").is_none()));
    assert_eq!(stage.origin.count(), 3);
}

#[tokio::test]
async fn p1_9_peers_that_are_not_listed_may_not_skip() {
    let listed = numbered(&["skip = { field = \"x-skip\", peers = [\"127.0.0.0/8\"] }"], FRESH);
    let listed = listed.await;
    check(&listed.get("/a", &[]).await, 200, &["stored"], "0");
    check(&listed.get("/a", &["X-Skip: 1"]).await, 200, &["fwd=bypass", "stored"], "1");
    let others = numbered(&["skip = { field = \"x-skip\", peers = [\"10.0.0.0/8\"] }"], FRESH);
    let others = others.await;
    check(&others.get("/a", &[]).await, 200, &["stored"], "0");
    check(&others.get("/a", &["X-Skip: 1"]).await, 200, &["; hit"], "0");
}

/// A route on which POST is listed.
const LISTED: &[&str] = &[
    "methods = [\"POST\"]",
    "key = [\"method\", \"host\", \"path\", \"query\"]",
    "keyed_body_bytes_max = \"64B\"",
];

#[tokio::test]
async fn p1_10_a_listed_post_is_keyed_by_its_body() {
    let stage = stage(LISTED, |asked, out| async move {
        out.send(200, FRESH, [b"for ", asked.body.as_slice()].concat()).await
    })
    .await;
    let post = |body: &str| with_body("POST", "/search", &[], body);
    check(&stage.ask(&post("one")).await, 200, &["stored"], "for one");
    check(&stage.ask(&post("two")).await, 200, &["stored"], "for two");
    check(&stage.ask(&post("one")).await, 200, &["; hit"], "for one");
    let chunked = request("POST", "/search", &["Transfer-Encoding: chunked"]);
    let chunked = stage.ask(&(chunked + "1\r\no\r\n2\r\nne\r\n0\r\n\r\n")).await;
    check(&chunked, 200, &["; hit"], "for one");
    check(&stage.get("/search", &[]).await, 200, &["fwd=uri-miss"], "for ");
    check(&stage.ask(&post("")).await, 200, &["fwd=uri-miss"], "for ");
    assert_eq!(stage.origin.count(), 4);
    let long = "x".repeat(65);
    for framed in [
        post(&long),
        request("POST", "/search", &["Transfer-Encoding: chunked"])
            + &format!("41\r\n{long}\r\n0\r\n\r\n"),
    ] {
        let passed = stage.ask(&framed).await;
        let words = ["fwd=bypass", "detail=keyed-body-too-large"];
        check(&passed, 200, &words, &format!("for {long}"));
    }
    assert_eq!(stage.origin.count(), 6);
}

#[tokio::test]
async fn p1_10_a_refresh_replays_the_body_and_a_crowd_shares_one_fetch() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(LISTED, move |asked, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            let fields = ["Cache-Control: max-age=1, stale-while-revalidate=60"];
            out.send(200, &fields, asked.body).await
        }
    })
    .await;
    let post = with_body("POST", "/search", &[], "query");
    let (answers, ()) = tokio::join!(stage.crowd(100, &post), async {
        stage.followed(99).await;
        gate.open();
    });
    answers.iter().for_each(|answer| check(answer, 200, &[], "query"));
    assert_eq!(stage.origin.count(), 1);
    pass(Duration::from_millis(1200)).await;
    check(&stage.ask(&post).await, 200, &["; hit", "ttl=-"], "query");
    stage.heard(2).await;
    let refreshed = stage.origin.heard().pop().unwrap();
    assert_eq!((refreshed.head.method(), refreshed.body.as_slice()), ("POST", &b"query"[..]));
}

#[tokio::test]
async fn p1_10_an_unlisted_post_passes_and_spoils_its_target() {
    let stage = numbered(&[], FRESH).await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "0");
    check(&stage.ask(&with_body("POST", "/a", &[], "x")).await, 200, &["fwd=method"], "1");
    check(&stage.get("/a", &[]).await, 200, &["fwd=uri-miss"], "2");
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "2");
}

#[tokio::test]
async fn p1_11_x_cache_and_x_store_say_what_happened() {
    let stage = stage(&["x_cache = \"on\"", "stale = \"60s\""], |asked, out| async move {
        match asked.head.target() {
            "/private" => out.send(200, &["Cache-Control: private"], "").await,
            // `Date` counts whole seconds: of two, one is left when the second ends on the way.
            _ => out.send(200, &["Cache-Control: max-age=2"], "").await,
        }
    })
    .await;
    let check = |answer: &forebay_trial::wire::Message, cache: &str, store: &str| {
        let said = (answer.head.field("x-cache"), answer.head.field("x-store"));
        assert_eq!(said, (Some(cache.into()), Some(store.into())), "{}", answer.shown());
    };
    check(&stage.get("/a", &[]).await, "MISS", "STORED");
    check(&stage.get("/a", &[]).await, "HIT", "NONE");
    check(&stage.ask(&request("POST", "/b", &["Content-Length: 0"])).await, "BYPASS", "BYPASS");
    check(&stage.get("/private", &[]).await, "MISS", "BYPASS");
    pass(Duration::from_millis(2200)).await;
    check(&stage.get("/a", &[]).await, "STALE", "NONE");
}

#[tokio::test]
async fn head_is_answered_from_what_get_stored() {
    let stage = numbered(&[], &["Cache-Control: max-age=60", "X-Kept: yes"]).await;
    let head = stage.ask(&request("HEAD", "/a", &[])).await;
    assert_eq!((status(&head), head.body.len()), (200, 0), "{}", head.shown());
    check(&stage.get("/a", &[]).await, 200, &["stored"], "1");
    let head = stage.ask(&request("HEAD", "/a", &[])).await;
    let fields = (head.head.field("content-length"), head.head.field("x-kept"));
    assert_eq!(fields, (Some("1".into()), Some("yes".into())), "{}", head.shown());
    assert!(said(&head).contains("; hit"));
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn a_get_under_way_while_an_unsafe_method_succeeds_is_not_stored() {
    // The GET is caught before its head, in its body, and as a variant in its body.
    for (name, fields) in [("", FRESH), ("v", &["Cache-Control: max-age=60", "Vary: X-V"][..])] {
        for place in [1, 2] {
            let gate = Gate::shut();
            let shut = gate.clone();
            let stage = stage(&[], move |asked, out| {
                let gate = shut.clone();
                async move {
                    if asked.head.method() == "PUT" {
                        return out.send(204, &[], "").await;
                    }
                    if asked.head.field("x-late").is_some() {
                        return out.send(200, fields, "after").await;
                    }
                    gate.opened(1).await;
                    let fields: Vec<&str> =
                        fields.iter().copied().chain(["Content-Length: 6"]).collect();
                    let out = out.write(head(200, &fields)).await.write("bef").await;
                    gate.opened(2).await;
                    Some(out.write("ore").await)
                }
            })
            .await;
            let mut first = stage.client().await;
            first.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
            stage.heard(1).await;
            if place == 2 {
                gate.open();
                first.begin(PATIENCE).await.unwrap();
                first.some(3, PATIENCE).await.unwrap();
            }
            let put = stage.ask(&with_body("PUT", "/a", &[], "after")).await;
            assert_eq!(status(&put), 204, "{}", put.shown());
            if place == 1 {
                gate.open();
                first.begin(PATIENCE).await.unwrap();
            }
            gate.open();
            first.rest(PATIENCE).await.unwrap();
            pass(Duration::from_millis(50)).await;
            let after = stage.get("/a", &["X-Late: 1"]).await;
            check(&after, 200, &["fwd=uri-miss"], "after");
            assert_eq!(stage.origin.count(), 3, "{name} {place}");
        }
    }
}
