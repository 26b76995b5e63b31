//! A body that was cut never looks whole.

use super::*;
use Act::{Read, Reset, Write};

async fn check(acts: &[Act], expected: Result<&str, FailureKind>) {
    let heard = ask_once(acts).await;
    let heard = heard.as_ref().map(|heard| heard.body.as_str()).map_err(|failure| failure.kind);
    assert_eq!(heard, expected, "{acts:?}");
}

#[tokio::test]
async fn a_body_ends_cleanly_only_where_the_origin_ended_it() {
    let cut = Err(FailureKind::BodyCut);
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n";
    let half_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    let bad_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel";
    let no_final_line = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n";
    let unsized_11 = "HTTP/1.1 200 OK\r\n\r\nhello";
    let unsized_10 = "HTTP/1.0 200 OK\r\n\r\nhello";
    let pause = Act::Pause(Duration::from_millis(50));
    check(&[Read, Write(sized)], cut).await;
    check(&[Read, Write(sized), pause, Reset], cut).await;
    check(&[Read, Write(chunked)], cut).await;
    check(&[Read, Write(chunked), pause, Reset], cut).await;
    check(&[Read, Write(half_chunk)], cut).await;
    check(&[Read, Write(bad_chunk)], cut).await;
    check(&[Read, Write(no_final_line)], cut).await;
    check(&[Read, Write(unsized_11)], Ok("hello")).await;
    check(&[Read, Write(unsized_10)], Ok("hello")).await;
    check(&[Read, Write(unsized_11), pause, Reset], cut).await;
    check(&[Read, Write(unsized_10), pause, Reset], cut).await;
    check(&[Read, Write(sized), Write("lo")], Ok("hello")).await;
}

#[tokio::test]
async fn a_cut_body_stays_cut_however_often_it_is_read() {
    let origin =
        Origin::start(vec![vec![Read, Write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")]])
            .await;
    let upstream = over_network(&http(origin.address));
    let mut body = upstream.send(get(), None).await.unwrap().into_body();
    assert!(body.frame().await.unwrap().is_ok());
    for _ in 0..3 {
        assert_eq!(body.frame().await.unwrap().unwrap_err().kind, FailureKind::BodyCut);
        assert!(!http_body::Body::is_end_stream(&body));
    }
}

#[tokio::test]
async fn a_head_that_is_no_http_or_too_large_is_malformed() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(257));
    let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(70_000));
    let cases = [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        many.leak(),
        long.leak(),
    ];
    for case in cases {
        check(&[Read, Write(case)], Err(FailureKind::Malformed)).await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_head_is_a_head_cut() {
    for acts in [vec![Read], vec![Read, Reset], vec![Read, Write("HTTP/1.1 200 OK\r\nContent-")]] {
        check(&acts, Err(FailureKind::HeadCut)).await;
    }
}

#[test]
fn a_body_whose_driver_was_dropped_is_cut() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    };
    let (outer, driving) = (runtime(), runtime());
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n";
    let origin = outer.block_on(Origin::start(vec![vec![Read, Write(head), Act::Stall]]));
    let mut body = driving.block_on(async {
        let upstream = over_network(&http(origin.address));
        let mut body = upstream.send(get(), None).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().is_ok());
        body
    });
    driving.shutdown_timeout(Duration::from_secs(5));
    let ending = outer.block_on(body.frame());
    assert_eq!(ending.unwrap().unwrap_err().kind, FailureKind::BodyCut);
}
