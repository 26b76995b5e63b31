//! Nobody gets another's answer: `Authorization`, cookies, `private`, alone and in a crowd, fresh
//! and validated (RFC 9111 sections 3.5 and 4.3.4; CVE-2016-10002, souin#863).

use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::counting::CountingOrigin;
use forebay_trial::origin::Reply;
use tokio::task::JoinSet;

use crate::stage::{PATIENCE, Stage, gateway, is_hit, text};

fn who(request: &forebay_trial::wire::Message) -> String {
    let field = |name| request.head.field(name).unwrap_or_default();
    format!("[{}{}]", field("authorization"), field("cookie"))
}

#[tokio::test]
async fn an_authorized_answer_is_for_one_unless_the_origin_shares_it() {
    for (fields, is_shared) in [
        (&["Cache-Control: max-age=60"][..], false),
        (&["Cache-Control: private, max-age=60"], false),
        (&["Expires: Fri, 01 Jan 2100 00:00:00 GMT"], false),
        (&["Cache-Control: max-age=60", "Vary: Authorization"], false),
        (&["Cache-Control: max-age=60, no-cache"], false),
        (&["Cache-Control: max-age=60, xpublic"], false),
        (&["Cache-Control: max-age=60, x=\"public\""], false),
        (&["Cache-Control: public, max-age=60"], true),
        (&["Cache-Control: s-maxage=60"], true),
    ] {
        let stage =
            Stage::start(move |request| Reply::whole(200, fields, who(request).as_bytes())).await;
        let by = |who: &str| {
            let request =
                format!("GET /k HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {who}\r\n\r\n");
            let stage = &stage;
            async move { stage.ask(&request).await }
        };
        by("one").await;
        for answer in [by("two").await, stage.get("/k").await] {
            assert_eq!(is_hit(&answer), is_shared, "{fields:?}");
            assert_eq!(text(&answer).contains("one"), is_shared, "{fields:?}");
        }
    }
}

#[tokio::test]
async fn a_cookie_that_is_set_goes_to_the_one_who_asked() {
    const SET: &str = "Set-Cookie: session=one";
    for fields in [
        &["Cache-Control: max-age=60", SET][..],
        &["Expires: Fri, 01 Jan 2100 00:00:00 GMT", SET],
        &["Cache-Control: max-age=60, no-cache=\"set-cookie\"", SET],
        &["Cache-Control: max-age=60, private=\"Set-Cookie\"", SET],
        &["Cache-Control: public, max-age=60, private=\"set-cookie\"", SET],
        &["Cache-Control: max-age=60", "set-cookie2: session=one"],
    ] {
        let stage = Stage::start(move |request| {
            let second = request.head.field("x-second").is_some();
            Reply::whole(200, if second { &fields[..1] } else { fields }, b"page")
        })
        .await;
        stage.get("/k").await;
        let second = stage.ask("GET /k HTTP/1.1\r\nHost: a\r\nX-Second: 1\r\n\r\n").await;
        assert!(!second.shown().contains("session=one"), "{fields:?}: {}", second.shown());
    }
}

#[tokio::test]
async fn a_cookie_that_a_304_sets_goes_to_the_one_who_asked() {
    for status in ["max-age=0", "max-age=60"] {
        let stage = Stage::start(move |request| {
            let kept = format!("Cache-Control: {status}");
            if request.head.field("if-none-match").is_some() {
                let cookie = format!("Set-Cookie: session={}", who(request));
                let bytes = format!("HTTP/1.1 304 N\r\nETag: \"x\"\r\n{kept}\r\n{cookie}\r\n\r\n");
                return crate::stage::raw(bytes);
            }
            Reply::whole(200, &["Cache-Control: max-age=0", "ETag: \"x\""], b"page")
        })
        .await;
        stage.get("/k").await;
        let one = "GET /k HTTP/1.1\r\nHost: a\r\nCookie: one\r\n\r\n";
        stage.ask(one).await;
        for _ in 0..2 {
            let next = stage.get("/k").await;
            assert!(!next.shown().contains("one"), "{status}: {}", next.shown());
        }
    }
}

#[tokio::test]
async fn a_cookie_that_a_head_sets_goes_to_the_one_who_asked() {
    let stage = Stage::start(|request| {
        let fields = ["Cache-Control: max-age=60", "ETag: \"x\"", "Set-Cookie: session=one"];
        let is_head = request.head.method() == "HEAD";
        Reply::whole(200, if is_head { &fields } else { &fields[..2] }, b"page")
    })
    .await;
    stage.get("/k").await;
    stage.ask("HEAD /k HTTP/1.1\r\nHost: a\r\nCache-Control: no-cache\r\n\r\n").await;
    stage.ask("HEAD /k HTTP/1.1\r\nHost: a\r\nCookie: one\r\nAuthorization: x\r\n\r\n").await;
    let next = stage.get("/k").await;
    assert!(!next.shown().contains("one"), "{}", next.shown());
}

#[tokio::test]
async fn what_a_304_makes_private_is_shared_no_more() {
    for directive in ["private, max-age=60", "no-store"] {
        let stage = Stage::start(move |request| {
            if request.head.field("if-none-match").is_some() {
                let kept = format!("Cache-Control: {directive}\r\nX-For: {}", who(request));
                let bytes = format!("HTTP/1.1 304 N\r\nETag: \"x\"\r\n{kept}\r\n\r\n");
                return crate::stage::raw(bytes);
            }
            Reply::whole(200, &["Cache-Control: max-age=0", "ETag: \"x\""], b"page")
        })
        .await;
        stage.get("/k").await;
        stage.ask("GET /k HTTP/1.1\r\nHost: a\r\nCookie: one\r\n\r\n").await;
        let next = stage.get("/k").await;
        assert!(!next.shown().contains("[one]"), "{directive}: {}", next.shown());
        assert!(!is_hit(&next), "{directive}: {}", next.shown());
    }
}

#[tokio::test]
async fn a_crowd_of_users_for_one_target_each_get_their_own() {
    for fields in [
        &["Cache-Control: private, max-age=60"][..],
        &["Cache-Control: no-store"],
        &["Cache-Control: max-age=60", "Set-Cookie: s=1"],
        &["Cache-Control: max-age=60", "Vary: Cookie"],
        &["Cache-Control: max-age=60", "Vary: *"],
        &[],
    ] {
        let origin = CountingOrigin::start(move |request| async move {
            // Long enough that all wait for the first.
            tokio::time::sleep(Duration::from_millis(300)).await;
            Reply::whole(200, fields, who(&request).as_bytes())
        });
        let origin = origin.await.expect("it listens");
        let gateway = gateway(origin.address(), &[]).await;
        let mut users = JoinSet::new();
        for number in 0..30 {
            let address = gateway.address;
            users.spawn(async move {
                let mut client = Client::connect(address).await.expect("it accepts");
                let request =
                    format!("GET /k HTTP/1.1\r\nHost: a\r\nCookie: user{number};\r\n\r\n");
                let answer = client.ask(&request, PATIENCE).await.expect("an answer");
                assert_eq!(text(&answer), format!("[user{number};]"));
            });
        }
        while let Some(user) = users.join_next().await {
            user.unwrap_or_else(|error| panic!("{fields:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn what_one_may_see_is_no_stale_answer_for_another() {
    // `private` stays private when the origin fails (souin#863), also with the operator's windows.
    let failing = std::sync::atomic::AtomicUsize::new(0);
    let stage = Stage::with(&[("route", "stale = \"60s\"")], move |request| {
        match failing.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::whole(200, &["Cache-Control: private, max-age=0"], who(request).as_bytes()),
            _ => Reply::whole(503, &[], b"down"),
        }
    })
    .await;
    stage.ask("GET /k HTTP/1.1\r\nHost: a\r\nCookie: one\r\n\r\n").await;
    let next = stage.get("/k").await;
    assert_eq!((next.head.status(), text(&next).as_str()), (Ok(503), "down"));
}

#[tokio::test]
async fn the_directive_that_skips_the_look_up_does_not_skip_the_rules() {
    let lines = [
        ("route", "skip = { field = \"x-refresh\", secret = \"letmein\" }"),
        ("route", "client_directives = \"obey\""),
    ];
    let stage = Stage::with(&lines, |request| {
        Reply::whole(200, &["Cache-Control: private, max-age=60"], who(request).as_bytes())
    })
    .await;
    for field in ["X-Refresh: letmein", "Cache-Control: no-cache", "Pragma: no-cache"] {
        let one = format!("GET /k HTTP/1.1\r\nHost: a\r\nCookie: one\r\n{field}\r\n\r\n");
        stage.ask(&one).await;
        let next = stage.get("/k").await;
        assert_eq!(text(&next), "[]", "{field}");
    }
}
