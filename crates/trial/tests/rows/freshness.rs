//! Fresh and stale hits, and refreshes behind them (P1.3 to P1.6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{
    Gate, PATIENCE, Stage, check, head, pass, request, said, stage, status, with_body,
};

/// Fresh for a second, then stale and served while it is refreshed.
const WINDOW: &str = "Cache-Control: max-age=1, stale-while-revalidate=60";

/// Longer than that second.
const LONGER: Duration = Duration::from_millis(1200);

#[tokio::test]
async fn p1_3_a_fresh_hit_asks_nobody() {
    let lines: [&[&str]; 3] = [
        &[],
        &["skip = { field = \"x-skip\", secret = \"s\" }"],
        &["methods = [\"POST\"]", "key = [\"method\", \"host\", \"path\", \"query\"]"],
    ];
    for route in lines {
        let stage = stage(route, |_, out| async move {
            out.send(200, &["Cache-Control: max-age=60"], "fresh").await
        })
        .await;
        let asked = match route.len() {
            2 => with_body("POST", "/a", &[], "body"),
            _ => request("GET", "/a", &[]),
        };
        check(&stage.ask(&asked).await, 200, &["stored"], "fresh");
        for _ in 0..3 {
            check(&stage.ask(&asked).await, 200, &["; hit"], "fresh");
        }
        stage.crowd(50, &asked).await.iter().for_each(|hit| check(hit, 200, &["; hit"], "fresh"));
        pass(Duration::from_millis(100)).await;
        assert_eq!(stage.origin.count(), 1, "with {route:?}");
        assert_eq!(stage.metric("forebay_refreshes_total").await, 0, "with {route:?}");
    }
}

/// Before an origin whose first answer is `old` and each later one waits at a gate.
async fn stale(route: &[&str]) -> (Stage, Gate) {
    let (gate, asked) = (Gate::shut(), Arc::new(AtomicUsize::new(0)));
    let shut = gate.clone();
    let stage = stage(route, move |_, out| {
        let (gate, number) = (shut.clone(), asked.fetch_add(1, Ordering::SeqCst));
        async move {
            if number == 0 {
                return out.send(200, &[WINDOW], "old").await;
            }
            gate.passed().await;
            out.send(200, &["Cache-Control: max-age=60"], "new").await
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    pass(LONGER).await;
    (stage, gate)
}

#[tokio::test]
async fn p1_4_what_is_stale_is_served_at_once_and_refreshed_once() {
    let (stage, gate) = stale(&[]).await;
    let stale = stage.crowd(100, &request("GET", "/a", &[])).await;
    let words = ["; hit", "detail=stale-while-revalidate", "ttl=-"];
    stale.iter().for_each(|answer| check(answer, 200, &words, "old"));
    // All that ended while the refresh waits at the gate.
    stage.heard(2).await;
    assert_eq!(stage.origin.count(), 2);
    gate.open();
    loop {
        let answer = stage.get("/a", &[]).await;
        if answer.body == b"new" {
            break check(&answer, 200, &["; hit"], "new");
        }
        pass(Duration::from_millis(10)).await;
    }
    assert_eq!(stage.origin.count(), 2);
}

/// Before an origin that after its first answer does this.
async fn failing(route: &[&str], failure: Failure) -> Stage {
    let asked = AtomicUsize::new(0);
    let stage = stage(route, move |_, out| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            match (number, failure) {
                (0, _) => out.send(200, &[WINDOW], "old").await,
                (_, Failure::Status) => out.send(503, &[], "down").await,
                (_, Failure::Cut) => None,
                (_, Failure::BodyCut) => {
                    let fields = ["Cache-Control: max-age=60", "Content-Length: 9"];
                    drop(out.write(head(200, &fields)).await.write("new").await);
                    None
                }
            }
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    stage
}

#[derive(Clone, Copy, Debug)]
enum Failure {
    Status,
    Cut,
    BodyCut,
}

#[tokio::test]
async fn p1_5_after_a_failed_refresh_the_next_waits_and_the_stale_copy_goes_on() {
    for failure in [Failure::Status, Failure::Cut, Failure::BodyCut] {
        let stage = failing(&["retry_pause = \"2s\""], failure).await;
        pass(LONGER).await;
        check(&stage.get("/a", &[]).await, 200, &["; hit", "ttl=-"], "old");
        stage.heard(2).await;
        stage.landed().await;
        // A refresh whose connection was closed of old age is one try with two requests.
        let tried = stage.origin.count();
        for _ in 0..20 {
            check(&stage.get("/a", &[]).await, 200, &["; hit", "ttl=-"], "old");
            pass(Duration::from_millis(10)).await;
        }
        assert_eq!(stage.origin.count(), tried, "{failure:?}: the pause is kept");
        assert_eq!(stage.metric("forebay_refreshes_total").await, 1);
        pass(Duration::from_secs(2)).await;
        check(&stage.get("/a", &[]).await, 200, &["; hit", "ttl=-"], "old");
        stage.heard(tried + 1).await;
    }
}

#[tokio::test]
async fn p1_5_a_dead_origin_gets_one_try_a_pause() {
    let mut stage = stage(&["retry_pause = \"3s\""], |_, out| async move {
        out.send(200, &["Cache-Control: max-age=1"], "old").await
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    stage.origin.shut().await;
    pass(LONGER).await;
    let first = stage.get("/a", &[]).await;
    check(&first, 200, &["fwd=stale", "detail=stale-when-unreachable"], "old");
    let asked = stage.metric("forebay_origin_requests_total").await;
    for answer in stage.crowd(50, &request("GET", "/a", &[])).await {
        check(&answer, 200, &["; hit", "detail=retry-pause"], "old");
    }
    assert_eq!(stage.metric("forebay_origin_requests_total").await, asked);
}

#[tokio::test]
async fn a_failing_status_opens_no_window_that_only_the_unreachable_have() {
    // No stale-if-error: what the origin says is passed on, the second time as the first.
    let asked = AtomicUsize::new(0);
    let stage = stage(&[], move |_, out| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            match number {
                0 => out.send(200, &["Cache-Control: max-age=1"], "old").await,
                _ => out.send(503, &[], "down").await,
            }
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    pass(LONGER).await;
    for _ in 0..3 {
        check(&stage.get("/a", &[]).await, 503, &["fwd=stale"], "down");
    }
}

#[tokio::test]
async fn within_its_window_a_failing_status_is_answered_with_what_is_stale() {
    let asked = AtomicUsize::new(0);
    let stage = stage(&["stale_if_error = \"60s\""], move |_, out| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        async move {
            match number {
                0 => out.send(200, &["Cache-Control: max-age=1"], "old").await,
                _ => out.send(503, &[], "down").await,
            }
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    pass(LONGER).await;
    let first = stage.get("/a", &[]).await;
    check(&first, 200, &["fwd=stale; fwd-status=503", "detail=stale-if-error"], "old");
    check(&stage.get("/a", &[]).await, 200, &["; hit", "detail=retry-pause"], "old");
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn p1_6_an_entry_is_kept_while_a_slow_refresh_runs_beyond_its_windows() {
    let (gate, asked) = (Gate::shut(), Arc::new(AtomicUsize::new(0)));
    let shut = gate.clone();
    let route = ["keep = \"0s\"", "stale_when_unreachable = \"0s\"", "collapse_wait = \"20s\""];
    let stage = stage(&route, move |_, out| {
        let (gate, number) = (shut.clone(), asked.fetch_add(1, Ordering::SeqCst));
        async move {
            let fields = ["Cache-Control: max-age=1, stale-while-revalidate=1", "ETag: \"1\""];
            if number == 0 {
                return out.send(200, &fields, "old").await;
            }
            gate.passed().await;
            Some(out.write(head(304, &fields)).await)
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "old");
    pass(LONGER).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit", "ttl=-"], "old");
    stage.heard(2).await;
    // Beyond the window, with the refresh still under way: whoever comes waits for it.
    pass(Duration::from_millis(1500)).await;
    assert_eq!(stage.metric("forebay_memory_entries").await, 1);
    let mut waiting = stage.client().await;
    waiting.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    stage.followed(1).await;
    gate.open();
    check(&waiting.response(PATIENCE).await.unwrap(), 200, &["collapsed"], "old");
    assert_eq!(stage.origin.last().field("if-none-match").as_deref(), Some("\"1\""));
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn a_junk_authorization_does_not_forget_what_is_stored_for_all() {
    let stage = stage(&[], |asked, out| async move {
        match asked.head.field("authorization") {
            Some(_) => out.send(401, &["WWW-Authenticate: Basic"], "who?").await,
            None => out.send(200, &[WINDOW], "for all").await,
        }
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "for all");
    pass(LONGER).await;
    let junk = stage.get("/a", &["Authorization: Basic xx"]).await;
    check(&junk, 200, &["; hit", "ttl=-"], "for all");
    stage.heard(2).await;
    stage.landed().await;
    let answer = stage.get("/a", &[]).await;
    assert!(status(&answer) == 200 && said(&answer).contains("; hit"), "{}", answer.shown());
}
