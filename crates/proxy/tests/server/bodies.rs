//! Request bodies: chunks taken exactly, asked for when wanted, never left in the way.

use crate::stage::{Stage, connect, limits, read_all, read_until, statuses, talk, whole};
use forebay::config::Limits;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

const CHUNKED: &str = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const NEXT: &str = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn chunks_become_a_body_and_their_trailers_follow_it() {
    for (chunks, expected) in [
        ("5\r\nhello\r\n0\r\n\r\n", "[hello]"),
        ("1\r\nh\r\n004\r\nello\r\n000\r\n\r\n", "[hello]"),
        ("A;x=y\r\n0123456789\r\n0;last\r\n\r\n", "[0123456789]"),
        ("0\r\n\r\n", "[]"),
        ("1\r\nx\r\n0\r\nChecksum: 7\r\n\r\n", "[x] checksum=7"),
        (
            "1\r\nx\r\n0\r\nHost: b\r\nContent-Length: 3\r\nAuthorization: z\r\nOk: 1\r\n\r\n",
            "[x] ok=1",
        ),
    ] {
        let received = talk(Stage::echo(), &format!("{CHUNKED}{chunks}{NEXT}")).await;
        assert_eq!(statuses(&received), [200, 200], "{chunks:?} gave {received}");
        assert!(received.contains(&format!("POST /c a {expected}")), "{chunks:?} gave {received}");
        assert!(received.ends_with("GET /next a []"), "{chunks:?} gave {received}");
    }
}

#[tokio::test]
async fn chunks_that_two_parsers_could_read_in_two_ways_are_400_and_close() {
    let extension = "e".repeat(5000);
    let trailers = format!("0\r\nX: {}\r\n\r\n", "t".repeat(9000));
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\rX0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";x\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\n X: y\r\n\r\n",
        &format!("5;{extension}\r\nhello\r\n0\r\n\r\n"),
    ] {
        let received = talk(Stage::echo(), &format!("{CHUNKED}{chunks}{NEXT}")).await;
        assert_eq!(statuses(&received), [400], "{chunks:?} gave {received}");
    }
    let received = talk(Stage::echo(), &format!("{CHUNKED}{trailers}{NEXT}")).await;
    assert_eq!(statuses(&received), [431], "{received}");
    for size in ["FFFFFFFFFFFFFFFF", "100001"] {
        let received = talk(Stage::echo(), &format!("{CHUNKED}{size}\r\nhello\r\n")).await;
        assert_eq!(statuses(&received), [413], "{size} gave {received}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_read_as_a_request() {
    let deaf = || Stage::new(|request| async move { whole(format!("{} seen", request.target)) });
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let sent = format!(
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{smuggled}{NEXT}",
        smuggled.len()
    );
    let received = talk(deaf(), &sent).await;
    assert_eq!(statuses(&received), [200, 200], "{received}");
    assert!(!received.contains("/smuggled"), "{received}");

    let large = "x".repeat(100_000);
    let sent =
        format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{large}{NEXT}");
    let received = talk(deaf(), &sent).await;
    assert_eq!(statuses(&received), [200], "{received}");
    assert!(received.contains("connection: close"), "{received}");

    let sent = format!("{CHUNKED}186a0\r\n{large}\r\n0\r\n\r\n{NEXT}");
    let received = talk(deaf(), &sent).await;
    assert_eq!(statuses(&received), [200], "{received}");
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_when_its_body_is_wanted() {
    let mut client = connect(Stage::echo(), limits());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    assert!(read_until(&mut client, "]").await.ends_with("[hello]"));
}

#[tokio::test]
async fn a_client_whose_body_was_not_asked_for_is_answered_and_closed() {
    let deaf = Stage::new(|_| async { whole("no") });
    let mut client = connect(deaf, limits());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 34\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let received = read_all(&mut client).await;
    assert_eq!(statuses(&received), [200]);
    assert!(received.contains("connection: close\r\n"), "{received}");
}

#[tokio::test]
async fn an_unknown_expectation_is_417() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n";
    assert_eq!(statuses(&talk(Stage::echo(), head).await), [417]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_says_nothing_for_too_long_is_408() {
    let mut client = connect(Stage::echo(), limits());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe";
    client.write_all(head.as_bytes()).await.unwrap();
    let received = read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(statuses(&received), [408]);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_ends_its_exchange() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = std::sync::Arc::new(std::sync::Mutex::new(Some(tell)));
    let stage = Stage::new(move |request| {
        let tell = tell.lock().unwrap().take().unwrap();
        async move {
            tokio::spawn(async move {
                let read = request.body.collect().await;
                tell.send(read.map(|_| ()).unwrap_err().to_string()).unwrap();
            });
            std::future::pending().await
        }
    });
    let mut client = connect(stage, Limits::default());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe";
    client.write_all(head.as_bytes()).await.unwrap();
    drop(client);
    let error = told.await.unwrap();
    assert!(error.contains("cannot read the request body"), "{error}");
}
