//! Variants under one key: collapsed each by itself, freshened by a 304 each by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Gate, PATIENCE, check, head, pass, request, said, stage, text};

const VARIES: &[&str] = &["Cache-Control: max-age=60", "Vary: Accept-Language"];

#[tokio::test]
async fn p1_7_two_variants_cost_two_requests_however_many_ask() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&["collapse_wait = \"20s\""], move |asked, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            out.send(200, VARIES, asked.head.field("accept-language").unwrap_or_default()).await
        }
    })
    .await;
    let ask = |n: usize| {
        let language = if n.is_multiple_of(2) { "en" } else { "de" };
        request("GET", "/a", &[&format!("Accept-Language: {language}")])
    };
    let (answers, ()) = tokio::join!(stage.ask_all((0..1000).map(ask).collect()), async {
        stage.followed(999).await;
        gate.open();
    });
    for (n, answer) in answers.iter().enumerate() {
        check(answer, 200, &[], if n.is_multiple_of(2) { "en" } else { "de" });
    }
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn p1_7_who_comes_while_a_variant_arrives_shares_it() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&[], move |_, out| {
        let gate = shut.clone();
        async move {
            let fields = [VARIES[0], VARIES[1], "Content-Length: 6"];
            let out = out.write(head(200, &fields)).await.write("abc").await;
            gate.passed().await;
            Some(out.write("def").await)
        }
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = stage.client().await;
        client.send(request("GET", "/a", &["Accept-Language: en"]).as_bytes(), PATIENCE).await;
        client.begin(PATIENCE).await.unwrap();
        assert_eq!(client.some(3, PATIENCE).await.unwrap(), b"abc");
        clients.push(client);
    }
    assert_eq!(stage.origin.count(), 1);
    gate.open();
    for mut client in clients {
        assert_eq!(client.rest(PATIENCE).await.unwrap().body, b"def");
    }
    let hit = stage.get("/a", &["Accept-Language: en"]).await;
    check(&hit, 200, &["; hit"], "abcdef");
}

#[tokio::test]
async fn a_304_freshens_the_variant_that_it_names() {
    let stage = stage(&[], |asked, out| async move {
        let language = asked.head.field("accept-language").unwrap_or_default();
        let tag = format!("ETag: \"{language}\"");
        // `Date` counts whole seconds: of two, one is left when the second ends on the way.
        let fields = ["Cache-Control: max-age=2", VARIES[1], &tag];
        let known = asked.head.field("if-none-match").unwrap_or_default();
        if known.contains(&format!("\"{language}\"")) {
            return Some(out.write(head(304, &fields)).await);
        }
        out.send(200, &fields, &language).await
    })
    .await;
    let ask = |language: &'static str| {
        let stage = &stage;
        async move { stage.get("/a", &[&format!("Accept-Language: {language}")]).await }
    };
    for language in ["en", "de", "fr"] {
        check(&ask(language).await, 200, &["stored"], language);
    }
    pass(Duration::from_millis(2200)).await;
    for language in ["de", "fr", "en"] {
        check(&ask(language).await, 200, &["fwd=stale; fwd-status=304"], language);
        check(&ask(language).await, 200, &["; hit"], language);
    }
    assert_eq!(stage.origin.count(), 6);
}

#[tokio::test]
async fn a_variant_whose_new_body_was_cut_is_not_taken_for_the_new_one() {
    let asked = Arc::new(AtomicUsize::new(0));
    let stage = stage(&[], move |request, out| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            let fields = |tag| ["Cache-Control: max-age=1", VARIES[1], tag];
            let conditional = request.head.field("if-none-match").unwrap_or_default();
            match number {
                0 => out.send(200, &fields("ETag: \"a\""), "old").await,
                1 => {
                    let fields = [&fields("ETag: \"b\"")[..], &["Content-Length: 9"]].concat();
                    let out = out.write(head(200, &fields)).await;
                    drop(out);
                    None
                }
                _ if conditional.contains("\"b\"") => {
                    Some(out.write(head(304, &fields("ETag: \"b\""))).await)
                }
                _ => out.send(200, &fields("ETag: \"b\""), "new").await,
            }
        }
    })
    .await;
    check(&stage.get("/a", &["Accept-Language: en"]).await, 200, &["stored"], "old");
    pass(Duration::from_millis(1200)).await;
    // Its new body never comes whole.
    let mut client = stage.client().await;
    client.send(request("GET", "/a", &["Accept-Language: en"]).as_bytes(), PATIENCE).await;
    let _ = client.response(PATIENCE).await;
    let other = stage.get("/a", &["Accept-Language: de"]).await;
    assert_eq!(text(&other), "new", "{} said to{}", said(&other), other.shown());
}

#[tokio::test]
async fn a_304_that_names_another_variant_is_answered_with_that_one_or_asked_again() {
    // What the origin says when it is asked of both, and what may answer then.
    let table = [("ETag: \"b\"", "body b"), ("ETag: \"c\"", "body c"), ("X-None: 1", "body c")];
    for (named, expected) in table {
        let stage = stage(&[], move |asked, out| async move {
            let fields = |tag| ["Cache-Control: max-age=1", VARIES[1], tag];
            let asked_of = asked.head.field("if-none-match").unwrap_or_default();
            if asked_of.contains("\"a\"") && asked_of.contains("\"b\"") {
                return Some(out.write(head(304, &fields(named))).await);
            }
            match asked.head.field("x-new") {
                Some(_) => out.send(200, &fields("ETag: \"c\""), "body c").await,
                None if asked.head.field("accept-language").as_deref() == Some("en") => {
                    out.send(200, &fields("ETag: \"a\""), "body a").await
                }
                None => out.send(200, &fields("ETag: \"b\""), "body b").await,
            }
        })
        .await;
        check(&stage.get("/a", &["Accept-Language: en"]).await, 200, &["stored"], "body a");
        check(&stage.get("/a", &["Accept-Language: de"]).await, 200, &["stored"], "body b");
        pass(Duration::from_millis(1200)).await;
        let answer = stage.get("/a", &["Accept-Language: en", "X-New: 1"]).await;
        check(&answer, 200, &["fwd=stale"], expected);
    }
}

#[tokio::test]
async fn variants_under_one_key_are_bounded() {
    let stage = stage(&["variants_max = 8"], |asked, out| async move {
        let fields = ["Cache-Control: max-age=60", "Vary: X-Any"];
        out.send(200, &fields, asked.head.field("x-any").unwrap_or_default()).await
    })
    .await;
    for number in 0..40 {
        let answer = stage.get("/a", &[&format!("X-Any: {number}")]).await;
        check(&answer, 200, &["stored"], &number.to_string());
    }
    check(&stage.get("/a", &["X-Any: 39"]).await, 200, &["; hit"], "39");
    check(&stage.get("/a", &["X-Any: 1"]).await, 200, &["fwd=vary-miss"], "1");
    // The index, its variants, and what a sweep has not reclaimed yet.
    stage.measures("forebay_memory_entries", |entries| entries <= 10).await;
}
