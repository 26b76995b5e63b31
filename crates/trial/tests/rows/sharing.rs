//! Who may share what: credentials, the client's own conditions, ranges.

use forebay_trial::wire::made_body;

use crate::support::{check, pass, request, said, stage, status, text};

const FRESH: &str = "Cache-Control: max-age=60";

#[tokio::test]
async fn responses_to_authorized_requests_are_not_shared() {
    let stage = stage(&[], |asked, out| async move {
        pass(std::time::Duration::from_millis(100)).await;
        let who = asked.head.field("authorization").unwrap_or_default();
        out.send(200, &[FRESH], who).await
    })
    .await;
    let ask = |n: usize| request("GET", "/a", &[&format!("Authorization: Bearer {n}")]);
    let answers = stage.ask_all((0..100).map(ask).collect()).await;
    for (n, answer) in answers.iter().enumerate() {
        check(answer, 200, &["detail=authorization"], &format!("Bearer {n}"));
    }
    assert_eq!(stage.origin.count(), 100);
    check(&stage.get("/a", &[]).await, 200, &["fwd=uri-miss"], "");
    // One that says `public` answers all, and before that each got his own.
    check(&stage.get("/a", &["Authorization: Bearer 7"]).await, 200, &["; hit"], "");
}

#[tokio::test]
async fn a_hit_answers_the_clients_own_conditions() {
    let modified = "Wed, 01 Jan 2020 00:00:00 GMT";
    let stage = stage(&[], move |_, out| async move {
        let modified = format!("Last-Modified: {modified}");
        out.send(200, &[FRESH, "ETag: \"1\"", &modified], "body").await
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "body");
    let since = format!("If-Modified-Since: {modified}");
    let table: [(&[&str], u16); 8] = [
        (&["If-None-Match: \"1\""], 304),
        (&["If-None-Match: W/\"1\""], 304),
        (&["If-None-Match: \"0\", \"1\""], 304),
        (&["If-None-Match: *"], 304),
        (&["If-None-Match: \"2\""], 200),
        (&[&since], 304),
        (&["If-None-Match: \"2\"", &since], 200),
        (&["If-Match: \"1\""], 200),
    ];
    for (fields, expected) in table {
        let answer = stage.get("/a", fields).await;
        assert_eq!(status(&answer), expected, "{fields:?}{}", answer.shown());
        assert!(said(&answer).contains("; hit"), "{fields:?}{}", answer.shown());
    }
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn conditions_on_a_miss_do_not_go_to_the_origin() {
    let stage =
        stage(&[], |_, out| async move { out.send(200, &[FRESH, "ETag: \"1\""], "body").await })
            .await;
    let answer = stage.get("/a", &["If-None-Match: \"1\""]).await;
    assert_eq!((status(&answer), text(&answer).as_str()), (304, ""), "{}", answer.shown());
    assert_eq!(stage.origin.last().field("if-none-match"), None);
    stage.stored(1).await;
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "body");
    let unwanted = stage.get("/b", &["If-Match: \"2\""]).await;
    assert_eq!(status(&unwanted), 412, "{}", unwanted.shown());
}

#[tokio::test]
async fn ranges_are_answered_from_what_is_stored() {
    let stage =
        stage(
            &[],
            |_, out| async move { out.send(200, &[FRESH, "ETag: \"1\""], "0123456789").await },
        )
        .await;
    // On a miss that begins near, the whole is fetched and kept.
    let near = stage.get("/a", &["Range: bytes=2-4"]).await;
    check(&near, 206, &["fwd=uri-miss", "stored"], "234");
    assert_eq!(stage.origin.last().field("range"), None);
    stage.stored(1).await;
    let table = [
        ("bytes=0-0", 206, "0"),
        ("bytes=-3", 206, "789"),
        ("bytes=8-", 206, "89"),
        ("bytes=8-99", 206, "89"),
        ("lines=1-2", 200, "0123456789"),
        ("bytes=5-2", 200, "0123456789"),
    ];
    for (range, expected, body) in table {
        let answer = stage.get("/a", &[&format!("Range: {range}")]).await;
        check(&answer, expected, &["; hit"], body);
    }
    let beyond = stage.get("/a", &["Range: bytes=10-"]).await;
    let said = beyond.head.field("content-range");
    assert_eq!((status(&beyond), said.as_deref()), (416, Some("bytes */10")), "{}", beyond.shown());
    let several = stage.get("/a", &["Range: bytes=0-1, 5-6"]).await;
    assert!(text(&several).contains("\r\n\r\n01\r\n") && status(&several) == 206);
    let other = stage.get("/a", &["Range: bytes=0-1", "If-Range: \"2\""]).await;
    check(&other, 200, &["; hit"], "0123456789");
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn a_range_far_into_what_is_not_stored_is_asked_of_the_origin_as_it_is() {
    let stage = stage(&[], |asked, out| async move {
        let body = made_body(8 << 20);
        match asked.head.field("range").as_deref() {
            Some("bytes=4194304-4194313") => {
                let range = format!("Content-Range: bytes 4194304-4194313/{}", body.len());
                out.send(206, &[FRESH, &range], &body[4_194_304..4_194_314]).await
            }
            _ => out.send(200, &[FRESH], body).await,
        }
    })
    .await;
    let expected = made_body(8 << 20)[4_194_304..4_194_314].to_vec();
    let far = stage.get("/a", &["Range: bytes=4194304-4194313"]).await;
    assert_eq!((status(&far), &far.body), (206, &expected), "{}", far.shown());
    assert_eq!(stage.origin.count(), 1);
    // From the whole, once that is stored.
    assert_eq!(stage.get("/a", &[]).await.body.len(), 8 << 20);
    let hit = stage.get("/a", &["Range: bytes=4194304-4194313"]).await;
    assert_eq!((status(&hit), &hit.body), (206, &expected), "{}", hit.shown());
    assert!(said(&hit).contains("; hit"));
    assert_eq!(stage.origin.count(), 2);
}

#[tokio::test]
async fn a_response_that_sets_a_cookie_is_for_one() {
    let stage =
        stage(
            &[],
            |_, out| async move { out.send(200, &[FRESH, "Set-Cookie: id=1"], "yours").await },
        )
        .await;
    let answers = stage.crowd(20, &request("GET", "/a", &[])).await;
    answers.iter().for_each(|answer| check(answer, 200, &["fwd="], "yours"));
    assert_eq!(stage.origin.count(), 20);
}

#[tokio::test]
async fn fields_named_by_connection_are_neither_passed_on_nor_stored() {
    let stage = stage(&[], |_, out| async move {
        let fields = [FRESH, "Connection: x-hop", "X-Hop: 1", "Keep-Alive: timeout=5", "X-End: 1"];
        out.send(200, &fields, "").await
    })
    .await;
    for _ in 0..2 {
        let answer = stage.get("/a", &[]).await;
        let kept = ["x-hop", "keep-alive", "x-end"].map(|name| answer.head.field(name).is_some());
        assert_eq!(kept, [false, false, true], "{}", answer.shown());
    }
}
