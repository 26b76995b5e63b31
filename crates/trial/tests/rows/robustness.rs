//! What must go well when others do not: clients that leave, origins that hang or change their
//! mind, old clients, and those in a hurry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_trial::wire::{Ending, made_body};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{
    Gate, PATIENCE, Stage, check, head, pass, request, said, stage, status, text, with_body,
};

const FRESH: &str = "Cache-Control: max-age=60";

/// Longer than a lifetime of one second.
const LONGER: Duration = Duration::from_millis(1200);

/// Before an origin whose first answer is `first`, and all later ones are `later`.
async fn changing(
    route: &[&str],
    first: &'static [&'static str],
    later: &'static [&'static str],
    body: Vec<u8>,
) -> Stage {
    let asked = AtomicUsize::new(0);
    stage(route, move |_, out| {
        let (number, body) = (asked.fetch_add(1, Ordering::SeqCst), body.clone());
        async move {
            match number {
                0 => out.send(200, first, "old").await,
                _ => out.send(200, later, body).await,
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_crowd_that_leaves_leaves_nothing_behind() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&[], move |_, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            out.send(200, &[FRESH], "kept").await
        }
    })
    .await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        let mut client = stage.client().await;
        client.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
        crowd.push(client);
    }
    stage.heard(1).await;
    drop(crowd);
    gate.open();
    stage.measures("forebay_connections", |connections| connections == 0).await;
    stage.stored(1).await;
    stage.landed().await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "kept");
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn a_silent_origin_is_given_up_once_for_all_who_wait() {
    let route = ["upstream = { read_timeout = \"1s\" }", "collapse_wait = \"20s\""];
    let stage = stage(&route, |_, out| async move {
        pass(Duration::from_secs(60)).await;
        Some(out)
    })
    .await;
    for answer in stage.crowd(100, &request("GET", "/a", &[])).await {
        assert_eq!(status(&answer), 504, "{}", answer.shown());
        assert!(said(&answer).contains("detail=head-timeout"), "{}", answer.shown());
    }
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn a_crowd_on_a_stale_key_causes_one_validation() {
    let stage = stage(&["collapse_wait = \"20s\""], |asked, out| async move {
        let fields = ["Cache-Control: max-age=1", "ETag: \"1\""];
        match asked.head.field("if-none-match") {
            Some(_) => {
                pass(Duration::from_millis(500)).await;
                Some(out.write(head(304, &fields)).await)
            }
            None => out.send(200, &fields, "body").await,
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "body");
    pass(LONGER).await;
    let answers = stage.crowd(200, &request("GET", "/a", &[])).await;
    answers.iter().for_each(|answer| check(answer, 200, &[], "body"));
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn an_unsafe_method_spoils_every_variant() {
    let stage = stage(&[], |asked, out| async move {
        let fields = [FRESH, "Vary: Accept-Language"];
        out.send(200, &fields, asked.head.field("accept-language").unwrap_or_default()).await
    })
    .await;
    for words in ["stored", "; hit"] {
        for language in ["en", "de", "fr"] {
            let field = format!("Accept-Language: {language}");
            check(&stage.get("/a", &[&field]).await, 200, &[words], language);
        }
    }
    let deleted = stage.ask(&request("DELETE", "/a", &[])).await;
    assert_eq!(status(&deleted), 200);
    for language in ["en", "de", "fr"] {
        let answer = stage.get("/a", &[&format!("Accept-Language: {language}")]).await;
        check(&answer, 200, &["stored"], language);
    }
    assert_eq!(stage.origin.count(), 7);
}

#[tokio::test]
async fn what_becomes_cacheable_is_kept_at_once() {
    let stage = changing(&[], &["Cache-Control: no-store"], &[FRESH], b"new".to_vec()).await;
    check(&stage.get("/a", &[]).await, 200, &["detail=no-store"], "old");
    check(&stage.get("/a", &[]).await, 200, &["stored"], "new");
    stage.stored(1).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "new");
}

#[tokio::test]
async fn what_may_no_longer_be_kept_is_forgotten_by_its_refresh() {
    let first = &["Cache-Control: max-age=1, stale-while-revalidate=60"];
    let later = &["Cache-Control: no-store"];
    let stage = changing(&[], first, later, b"new".to_vec()).await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    pass(LONGER).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "old");
    stage.forgotten().await;
    check(&stage.get("/a", &[]).await, 200, &["fwd="], "new");
}

#[tokio::test]
async fn what_has_outgrown_its_limit_is_not_refreshed_with_each_request() {
    let first = &["Cache-Control: max-age=1, stale-while-revalidate=60"];
    let route = ["stored_body_bytes_max = \"1KiB\""];
    let stage = changing(&route, first, &[FRESH], made_body(2000)).await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    pass(LONGER).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "old");
    stage.forgotten().await;
    for _ in 0..5 {
        // The origin has said something in its place, which is passed on.
        assert!(stage.get("/a", &[]).await.body == made_body(2000));
    }
}

#[tokio::test]
async fn what_outgrows_its_limit_on_the_way_is_not_refreshed_with_each_request() {
    let asked = AtomicUsize::new(0);
    let stage = stage(&["stored_body_bytes_max = \"1KiB\""], move |_, out| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            if number == 0 {
                let fields = ["Cache-Control: max-age=1, stale-while-revalidate=60"];
                return out.send(200, &fields, "old").await;
            }
            let out = out.write(head(200, &[FRESH, "Transfer-Encoding: chunked"])).await;
            let chunk = "x".repeat(1000);
            Some(out.write(format!("3e8\r\n{chunk}\r\n").repeat(2) + "0\r\n\r\n").await)
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    pass(LONGER).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "old");
    stage.forgotten().await;
    for _ in 0..5 {
        check(&stage.get("/a", &[]).await, 200, &["fwd="], &"x".repeat(2000));
    }
}

#[tokio::test]
async fn a_body_that_breaks_at_once_is_asked_again_by_none_of_those_who_waited() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&["collapse_wait = \"20s\""], move |_, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            drop(out.write(head(200, &[FRESH, "Content-Length: 9"])).await);
            None
        }
    })
    .await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        let mut client = stage.client().await;
        client.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
        crowd.push(client);
    }
    stage.followed(299).await;
    gate.open();
    for client in &mut crowd {
        let answer = client.response(PATIENCE).await.unwrap();
        assert!(status(&answer) == 502 || answer.ending == Ending::Cut, "{}", answer.shown());
    }
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn an_old_client_gets_a_body_without_a_length_until_the_connection_ends() {
    let stage = stage(&[], |_, out| async move {
        let out = out.write(head(200, &[FRESH, "Transfer-Encoding: chunked"])).await;
        Some(out.write("3\r\nold\r\n0\r\n\r\n").await)
    })
    .await;
    for words in ["stored", "; hit"] {
        let mut client = stage.client().await;
        let asked = "GET /a HTTP/1.0\r\nHost: example.test\r\n\r\n";
        let answer = client.ask(asked, PATIENCE).await.unwrap();
        check(&answer, 200, &[words], "old");
        assert_eq!(answer.head.field("transfer-encoding"), None, "{}", answer.shown());
        client.closed(PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn requests_that_come_at_once_over_one_connection_are_answered_in_order() {
    let stage = stage(&[], |asked, out| async move {
        if asked.head.target() == "/slow" {
            pass(Duration::from_millis(200)).await;
        }
        out.send(200, &[FRESH], asked.head.target()).await
    })
    .await;
    check(&stage.get("/hit", &[]).await, 200, &["stored"], "/hit");
    let paths = ["/slow", "/hit", "/miss", "/hit", "/slow"];
    let all: String = paths.iter().map(|path| request("GET", path, &[])).collect();
    let mut stream = TcpStream::connect(stage.gateway.address).await.unwrap();
    stream.write_all(all.as_bytes()).await.unwrap();
    let mut client = forebay_trial::client::Client::over(Box::new(stream));
    for path in paths {
        check(&client.response(PATIENCE).await.unwrap(), 200, &[], path);
    }
}

#[tokio::test]
async fn what_an_origin_says_together_with_its_101_reaches_the_client() {
    let stage = stage(&[], |_, out| async move {
        let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                        Upgrade: echo\r\n\r\nhello at once";
        let out = out.write(switched).await;
        pass(PATIENCE).await;
        Some(out)
    })
    .await;
    let mut stream = TcpStream::connect(stage.gateway.address).await.unwrap();
    let asked = request("GET", "/", &["Connection: upgrade", "Upgrade: echo"]);
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"hello at once") {
        let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap();
        heard.push(byte.unwrap());
    }
}

#[tokio::test]
async fn two_fetches_of_one_key_leave_the_later_one() {
    // The first is so slow that the second goes itself; what is stored is never mixed.
    let (gate, asked) = (Gate::shut(), Arc::new(AtomicUsize::new(0)));
    let shut = gate.clone();
    let stage = stage(&["collapse_wait = \"200ms\""], move |_, out| {
        let (gate, number) = (shut.clone(), asked.fetch_add(1, Ordering::SeqCst));
        async move {
            if number == 0 {
                gate.passed().await;
            }
            out.send(200, &[FRESH], format!("fetch {number}")).await
        }
    })
    .await;
    let mut first = stage.client().await;
    first.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    stage.heard(1).await;
    check(&stage.get("/a", &[]).await, 200, &["collapse-timeout"], "fetch 1");
    stage.stored(1).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "fetch 1");
    gate.open();
    check(&first.response(PATIENCE).await.unwrap(), 200, &[], "fetch 0");
    stage.landed().await;
    let answer = stage.get("/a", &[]).await;
    assert!(said(&answer).contains("; hit") && answer.ending == Ending::Whole);
    assert!(["fetch 0", "fetch 1"].contains(&text(&answer).as_str()));
}

#[tokio::test]
async fn a_post_whose_expectation_is_met_is_keyed_by_its_body() {
    let route = ["methods = [\"POST\"]", "key = [\"method\", \"host\", \"path\", \"query\"]"];
    let stage =
        stage(&route, |asked, out| async move { out.send(200, &[FRESH], asked.body).await });
    let stage = stage.await;
    for words in ["stored", "; hit"] {
        let whole = with_body("POST", "/a", &["Expect: 100-continue"], "expected");
        let (asked, body) = whole.split_at(whole.len() - 8);
        let mut client = stage.client().await;
        client.send(asked.as_bytes(), PATIENCE).await;
        let proceed = client.begin(PATIENCE).await.unwrap();
        assert_eq!(proceed.status(), Ok(100));
        client.send(body.as_bytes(), PATIENCE).await;
        check(&client.response(PATIENCE).await.unwrap(), 200, &[words], "expected");
    }
}
