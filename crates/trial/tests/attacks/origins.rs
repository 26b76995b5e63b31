//! What an origin says cannot become more than one response, nor anybody else's: response
//! splitting, two framings, bytes nobody asked for, floods of heads.

use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_trial::origin::{Reply, Then};

use crate::stage::{Stage, is_hit, raw, status_lines, text};

const HEAD: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";

#[tokio::test]
async fn a_field_of_the_origin_never_splits_the_response() {
    for field in [
        "X: a\rSet-Cookie: evil=1",
        "X: a\r\r\nSet-Cookie: evil=1",
        "X: a\0b",
        "X\r: a",
        "X\0: a",
        "X a: b",
        ": a",
        "X",
        "X: a\x0bb",
        "X: a\x7fb",
        "X: a\r \r\nY: z",
    ] {
        let answer = format!("{HEAD}{field}\r\nContent-Length: 2\r\n\r\nok");
        let stage = Stage::start(move |_| raw(answer.clone())).await;
        for _ in 0..2 {
            let came = stage.talk(b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let head = came.split("\r\n\r\n").next().unwrap_or_default();
            assert_eq!(status_lines(&came).len(), 1, "{field:?}: {came:?}");
            let lines: Vec<_> = head.split("\r\n").collect();
            assert!(
                !lines.iter().any(|line| line.starts_with("Set-Cookie")),
                "{field:?}: {came:?}"
            );
            assert!(
                lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])),
                "{field:?}: {came:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_folded_field_of_the_origin_never_splits_the_response() {
    let answer = format!("{HEAD}X: a\r\n Set-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok");
    let stage = Stage::start(move |_| raw(answer.clone())).await;
    for _ in 0..2 {
        let came = stage.talk(b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(!came.contains("\n Set-Cookie") && !came.contains("\nSet-Cookie"), "{came:?}");
    }
}

#[tokio::test]
async fn the_target_never_splits_the_response() {
    // The origin redirects to what it was asked for, decoded by nobody.
    let stage = Stage::start(|request| {
        let location = format!("Location: {}", request.head.target());
        Reply::whole(302, &[&location, "Cache-Control: max-age=60"], b"")
    })
    .await;
    for path in ["/%0d%0aSet-Cookie:%20evil=1", "/%0aX:%20y", "/\u{560a}", "/%E5%98%8D%E5%98%8A"] {
        for _ in 0..2 {
            let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            let came = stage.talk(sent.as_bytes()).await;
            let split =
                came.lines().any(|line| line.starts_with("Set-Cookie") || line.starts_with("X:"));
            assert!(!split && status_lines(&came).len() == 1, "{came}");
        }
    }
}

#[tokio::test]
async fn an_origin_with_two_framings_poisons_nobody() {
    let evil = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nevil";
    for answer in [
        format!("{HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{evil}"),
        format!("{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{evil}"),
        format!("{HEAD}Content-Length: 0\r\nContent-Length: 5\r\n\r\n{evil}"),
        format!("{HEAD}Content-Length: 0, 5\r\n\r\n{evil}"),
        format!("{HEAD}Content-Length: 2\r\n\r\nok{evil}"),
        format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{evil}"),
        format!("{HEAD}Content-Length: +2\r\n\r\nok{evil}"),
        format!("HTTP/1.1 204 N\r\nContent-Length: {}\r\n\r\n{evil}", evil.len()),
        format!("HTTP/1.1 304 N\r\nContent-Length: {}\r\n\r\n{evil}", evil.len()),
        format!("HTTP/1.1 100 C\r\n\r\n{HEAD}Content-Length: 2\r\n\r\nok{evil}"),
    ] {
        let count = AtomicUsize::new(0);
        let shown = answer.clone();
        let stage = Stage::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => raw(answer.clone()),
            _ => Reply::whole(200, &["Cache-Control: max-age=60"], b"good"),
        })
        .await;
        stage.talk(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n").await;
        for path in ["/second", "/third", "/second"] {
            let answer = stage.get(path).await;
            assert_eq!(text(&answer), "good", "{path} after {shown:?}");
        }
    }
}

#[tokio::test]
async fn the_answer_to_a_head_has_no_body_for_the_next() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let count = AtomicUsize::new(0);
    let stage = Stage::start(move |request| {
        if count.fetch_add(1, Ordering::SeqCst) > 0 {
            return Reply::whole(200, &["Cache-Control: max-age=60"], b"good");
        }
        assert_eq!(request.head.method(), "HEAD");
        // Two heads in one: the trial's origin sends no body for a HEAD, so it is in the first.
        raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", evil.len()))
    })
    .await;
    stage.ask("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(text(&stage.get("/b").await), "good");
    assert_eq!(text(&stage.get("/a").await), "good");
}

#[tokio::test]
async fn a_flood_of_interim_heads_ends() {
    let lines = [("route", "upstream = { read_timeout = \"1s\" }")];
    let mut stage = Stage::with(&lines, |_| {
        let mut bytes = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(50_000);
        bytes.push_str("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Reply { bytes: bytes.into_bytes(), then: Then::Close }
    })
    .await;
    let before = stage.resident_bytes();
    let came = stage.talk(b"GET /k HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let finals = status_lines(&came).into_iter().filter(|status| *status != 103).count();
    assert_eq!(finals, 1, "{} bytes came", came.len());
    assert!(stage.resident_bytes().saturating_sub(before) < 64 << 20);
    drop(came);
    assert_eq!(stage.gateway.process.ended(), None);
}

#[tokio::test]
async fn a_head_of_the_origin_that_is_too_large_is_a_502_that_is_kept_by_nobody() {
    for head in [
        format!("X: {}\r\n", "x".repeat(1 << 20)),
        (0..20_000).map(|n| format!("X-{n}: y\r\n")).collect::<String>(),
    ] {
        let count = AtomicUsize::new(0);
        let mut stage = Stage::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => raw(format!("{HEAD}{head}Content-Length: 2\r\n\r\nok")),
            _ => Reply::whole(200, &["Cache-Control: max-age=60"], b"good"),
        })
        .await;
        assert_eq!(stage.get("/k").await.head.status(), Ok(502));
        let next = stage.get("/k").await;
        assert!(!is_hit(&next));
        assert_eq!(text(&next), "good");
        stage.lives().await;
    }
}

#[tokio::test]
async fn trailers_of_the_origin_never_become_what_no_trailer_may_be() {
    let trailers = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nSet-Cookie: evil=1\r\n\
        Host: evil\r\nCache-Control: evil\r\nAge: 9999\r\nConnection: evil\r\nX-Good: yes\r\n";
    let answer = format!(
        "{HEAD}Transfer-Encoding: chunked\r\nTrailer: X-Good\r\n\r\n2\r\nok\r\n0\r\n{trailers}\r\n"
    );
    let stage = Stage::start(move |_| raw(answer.clone())).await;
    for _ in 0..2 {
        for fields in ["", "TE: trailers\r\n"] {
            let sent = format!("GET /k HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let came = stage.talk(sent.as_bytes()).await.to_ascii_lowercase();
            assert!(!came.contains("evil") && !came.contains("9999"), "{came}");
            let framings =
                came.matches("content-length").count() + came.matches("transfer-encoding").count();
            assert_eq!(framings, 1, "{came}");
        }
    }
}
