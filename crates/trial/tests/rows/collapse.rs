//! Collapse (P1.7, P1.8): who wants the same at the same time shares one fetch.

use std::time::{Duration, Instant};

use forebay_trial::wire::{Ending, made_body};

use crate::support::{
    Gate, PATIENCE, SLOW, check, gateway, head, pass, request, said, stage, status, text,
};

const FRESH: &[&str] = &["Cache-Control: max-age=60"];

#[tokio::test]
async fn p1_7_a_thousand_clients_on_a_cold_key_cause_one_origin_request() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&["collapse_wait = \"20s\""], move |_, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            out.send(200, FRESH, "one for all").await
        }
    })
    .await;
    let request = request("GET", "/cold", &[]);
    let (answers, ()) = tokio::join!(stage.crowd(1000, &request), async {
        stage.followed(999).await;
        gate.open();
    });
    let fetched = answers.iter().filter(|answer| !said(answer).contains("collapsed")).count();
    answers.iter().for_each(|answer| check(answer, 200, &["fwd=uri-miss"], "one for all"));
    assert_eq!((answers.len(), fetched, stage.origin.count()), (1000, 1, 1));
    check(&stage.get("/cold", &[]).await, 200, &["; hit"], "one for all");
}

#[tokio::test]
async fn p1_7_who_comes_while_the_body_arrives_reads_it_from_its_first_byte() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&[], move |_, out| {
        let gate = shut.clone();
        async move {
            let fields = [FRESH[0], "Content-Length: 10"];
            let out = out.write(head(200, &fields)).await.write("first").await;
            gate.passed().await;
            Some(out.write("-last").await.write("").await)
        }
    })
    .await;
    let mut first = stage.client().await;
    first.send(request("GET", "/slow", &[]).as_bytes(), PATIENCE).await;
    first.begin(PATIENCE).await.unwrap();
    assert_eq!(first.some(5, PATIENCE).await.unwrap(), b"first");
    let mut late = Vec::new();
    for _ in 0..200 {
        let mut client = stage.client().await;
        client.send(request("GET", "/slow", &[]).as_bytes(), PATIENCE).await;
        late.push(client);
    }
    for client in &mut late {
        let head = client.begin(PATIENCE).await.unwrap();
        assert!(head.field("cache-status").unwrap().contains("collapsed"), "{head:?}");
        assert_eq!(client.some(5, PATIENCE).await.unwrap(), b"first");
    }
    gate.open();
    for client in late.iter_mut().chain([&mut first]) {
        let rest = client.rest(PATIENCE).await.unwrap();
        assert_eq!((rest.body, rest.ending), (b"-last".to_vec(), Ending::Whole));
    }
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn p1_7_five_mebibytes_are_shared_by_many_while_they_arrive() {
    let body = made_body(5 << 20);
    let sent = body.clone();
    let stage = stage(&[], move |_, out| {
        let sent = sent.clone();
        async move {
            let length = format!("Content-Length: {}", sent.len());
            let mut out = out.write(head(200, &[FRESH[0], &length])).await;
            for chunk in sent.chunks(1 << 20) {
                out = out.write(chunk).await;
                pass(Duration::from_millis(50)).await;
            }
            Some(out)
        }
    })
    .await;
    let answers = stage.crowd(60, &request("GET", "/large", &[])).await;
    assert!(answers.iter().all(|answer| answer.body == body && answer.ending == Ending::Whole));
    assert_eq!(stage.origin.count(), 1);
    let hit = stage.get("/large", &[]).await;
    assert!(said(&hit).contains("; hit") && hit.body == body, "{}", said(&hit));
}

#[tokio::test]
async fn p1_8_who_has_waited_long_enough_goes_himself() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&["collapse_wait = \"300ms\""], move |asked, out| {
        let gate = shut.clone();
        async move {
            if asked.head.field("x-first").is_some() {
                gate.passed().await;
            }
            out.send(200, FRESH, "whoever fetched it").await
        }
    })
    .await;
    let mut first = stage.client().await;
    first.send(request("GET", "/a", &["X-First: 1"]).as_bytes(), PATIENCE).await;
    stage.heard(1).await;
    let second = stage.get("/a", &[]).await;
    check(&second, 200, &["detail=collapse-timeout", "stored"], "whoever fetched it");
    gate.open();
    check(&first.response(PATIENCE).await.unwrap(), 200, &[], "whoever fetched it");
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn p1_8_a_refused_connection_is_told_to_all_and_tried_again_by_none_of_them() {
    let mut stage = stage(&[], |_, out| async move { out.send(200, FRESH, "").await }).await;
    stage.origin.shut().await;
    let begun = Instant::now();
    let answers = stage.crowd(1000, &request("GET", "/cold", &[])).await;
    let failed = |answer: &&forebay_trial::wire::Message| {
        // Who came after several tries had failed is told so without another.
        let (status, said) = (status(answer), said(answer));
        status == 502 && said.contains("detail=connect-failed")
            || status == 503 && said.contains("detail=no-member")
    };
    assert_eq!(answers.iter().filter(failed).count(), 1000);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn p1_8_one_failure_answers_all_who_waited() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&["collapse_wait = \"20s\""], move |_, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            drop(out);
            None
        }
    })
    .await;
    let request = request("GET", "/cold", &[]);
    let (answers, ()) = tokio::join!(stage.crowd(300, &request), async {
        stage.followed(299).await;
        gate.open();
    });
    assert!(answers.iter().all(|answer| status(answer) == 502), "{}", said(&answers[7]));
    assert_eq!(stage.origin.connections(), 1);
}

#[tokio::test]
async fn a_failing_status_answers_all_who_waited() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage(&["collapse_wait = \"20s\""], move |_, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            out.send(503, &["Retry-After: 9"], "no").await
        }
    })
    .await;
    let request = request("GET", "/cold", &[]);
    let (answers, ()) = tokio::join!(stage.crowd(100, &request), async {
        stage.followed(99).await;
        gate.open();
    });
    assert!(answers.iter().all(|answer| status(answer) == 503), "{}", said(&answers[7]));
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn the_first_client_leaving_does_not_end_the_fetch() {
    let (begun, gate) = (Gate::shut(), Gate::shut());
    let (began, shut) = (begun.clone(), gate.clone());
    let stage = stage(&[], move |_, out| {
        let (begun, gate) = (began.clone(), shut.clone());
        async move {
            begun.passed().await;
            let out = out.write(head(200, &[FRESH[0], "Content-Length: 6"])).await;
            let out = out.write("abc").await;
            gate.passed().await;
            Some(out.write("def").await)
        }
    })
    .await;
    // One leaves before the head, one in the middle of the body.
    let mut first = stage.client().await;
    first.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    stage.heard(1).await;
    let mut second = stage.client().await;
    second.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    stage.followed(1).await;
    drop(first);
    begun.open();
    second.begin(PATIENCE).await.unwrap();
    second.some(3, PATIENCE).await.unwrap();
    drop(second);
    gate.open();
    stage.stored(1).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "abcdef");
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn an_uncacheable_response_queues_nobody() {
    let stage = stage(&[], |_, out| async move {
        pass(SLOW).await;
        out.send(200, &["Cache-Control: no-store"], "yours").await
    })
    .await;
    let request = request("GET", "/a", &[]);
    for round in 1..=2 {
        let begun = Instant::now();
        let answers = stage.crowd(100, &request).await;
        answers.iter().for_each(|answer| check(answer, 200, &["fwd="], "yours"));
        // The first round learns it by one fetch, and then all go at once.
        assert!(begun.elapsed() < SLOW * 10, "round {round} took {:?}", begun.elapsed());
        assert_eq!(stage.origin.count(), 100 * round);
    }
    assert!(said(&stage.get("/a", &[]).await).contains("detail=no-store"));
}

#[tokio::test]
async fn responses_that_must_always_be_validated_are_not_fetched_one_after_another() {
    let stage = stage(&[], |asked, out| async move {
        pass(SLOW).await;
        let fields = ["Cache-Control: no-cache", "ETag: \"1\""];
        match asked.head.field("if-none-match").as_deref() {
            Some("\"1\"") => Some(out.write(head(304, &fields)).await),
            _ => out.send(200, &fields, "checked").await,
        }
    })
    .await;
    let request = request("GET", "/a", &[]);
    check(&stage.ask(&request).await, 200, &["stored"], "checked");
    for round in 1..=2 {
        let begun = Instant::now();
        let answers = stage.crowd(100, &request).await;
        answers.iter().for_each(|answer| check(answer, 200, &[], "checked"));
        assert!(begun.elapsed() < SLOW * 10, "round {round} took {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn who_goes_for_himself_validates_what_is_stored() {
    let stage = stage(&[], |asked, out| async move {
        let fields = ["Cache-Control: no-cache", "ETag: \"1\""];
        match asked.head.field("if-none-match").as_deref() {
            Some("\"1\"") => Some(out.write(head(304, &fields)).await),
            _ => out.send(200, &fields, "checked").await,
        }
    })
    .await;
    for number in 0..4 {
        let answer = stage.get("/a", &[]).await;
        let words = if number == 0 { "fwd-status=200" } else { "fwd-status=304" };
        check(&answer, 200, &[words], "checked");
    }
}

#[tokio::test]
async fn a_gateway_whose_origin_comes_back_serves_at_once() {
    let address = forebay_trial::real::free_address().unwrap();
    let gateway = gateway(address, &[]).await;
    let mut client = crate::support::connect(gateway.address).await;
    let asked = request("GET", "/a", &[]);
    let answer = client.ask(&asked, PATIENCE).await.unwrap();
    assert_eq!(status(&answer), 502, "{}", text(&answer));
    let _origin = crate::support::Origin::start_at(address, |_, out| async move {
        out.send(200, FRESH, "back").await
    })
    .await;
    // A member that could not be reached rests for a moment.
    let begun = Instant::now();
    loop {
        let answer = client.ask(&asked, PATIENCE).await.unwrap();
        if status(&answer) == 200 {
            return assert_eq!(text(&answer), "back");
        }
        assert!(begun.elapsed() < PATIENCE, "{}", answer.shown());
        pass(Duration::from_millis(50)).await;
    }
}
