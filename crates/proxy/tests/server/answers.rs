//! What goes out: framing by version, no hop-by-hop field, no truncation that looks whole.

use bytes::Bytes;
use forebay::answer::{Answer, AnswerBody};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::stage::{
    Stage, answer, connect, connect_through, limits, read_all, read_until, statuses, stream,
    stream_with, talk, whole,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_10: &str = "GET / HTTP/1.0\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";

fn plays(make: impl Fn() -> Answer + Send + Sync + 'static) -> Stage {
    Stage::new(move |_| std::future::ready(make()))
}

/// What one answer is on the wire, its date aside.
async fn check(sent: &str, make: impl Fn() -> Answer + Send + Sync + 'static, expected: &str) {
    let received = talk(plays(make), sent).await;
    let received = received.replace("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "");
    assert_eq!(received, expected, "{sent:?}");
}

#[tokio::test]
async fn an_answer_is_framed_as_its_version_and_method_ask() {
    let two = || stream(None, &["ab", "cde"]);
    let counted = || stream(Some(5), &["ab", "cde"]);
    let status = |status, body: fn() -> AnswerBody| move || answer(status, body());
    check(GET, || whole("hello"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await;
    check(GET, || whole(""), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    check(GET, counted, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde").await;
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n";
    check(GET, two, chunked).await;
    check(
        GET_10,
        || whole("x"),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx",
    )
    .await;
    check(GET_10, two, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde").await;
    let kept = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    check(
        kept,
        || whole("x"),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx",
    )
    .await;
    check(HEAD, || whole("hello"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await;
    check(HEAD, two, "HTTP/1.1 200 OK\r\n\r\n").await;
    check(HEAD, counted, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await;
    let sized = status(StatusCode::OK, || AnswerBody::Sized(Some(7)));
    check(HEAD, sized, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n").await;
    let none = status(StatusCode::NO_CONTENT, || AnswerBody::None);
    check(GET, none, "HTTP/1.1 204 No Content\r\n\r\n").await;
    let unmodified = status(StatusCode::NOT_MODIFIED, || AnswerBody::Whole("x".into()));
    check(GET, unmodified, "HTTP/1.1 304 Not Modified\r\n\r\n").await;
    let empty = status(StatusCode::OK, || AnswerBody::None);
    check(GET, empty, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
}

#[tokio::test]
async fn prepared_blocks_go_first_and_a_missing_date_is_added() {
    let make = || {
        let mut answer = whole("x");
        answer.prepared =
            [Bytes::from_static(b"etag: \"1\"\r\n"), Bytes::from_static(b"age: 3\r\n")];
        answer.fields.insert("x-a", HeaderValue::from_static("b"));
        answer
    };
    let received = talk(plays(make), GET).await;
    assert!(received.starts_with("HTTP/1.1 200 OK\r\netag: \"1\"\r\nage: 3\r\nx-a: b\r\ndate: "));
    assert_eq!(received.matches("date: ").count(), 1, "{received}");
}

#[tokio::test]
async fn an_answer_cannot_say_hop_by_hop_fields_or_framing_itself() {
    let make = || {
        let mut answer = whole("x");
        for name in ["connection", "transfer-encoding", "content-length", "keep-alive", "upgrade"] {
            answer.fields.insert(HeaderName::from_static(name), HeaderValue::from_static("9"));
        }
        answer
    };
    check(GET, make, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx").await;
}

#[tokio::test]
async fn trailers_go_to_a_client_that_takes_them() {
    let make = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", HeaderValue::from_static("7"));
        stream_with(None, &["ab"], Some(trailers))
    };
    let takes = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n";
    check(takes, make, &format!("{chunk}checksum: 7\r\n\r\n")).await;
    check(GET, make, &format!("{chunk}\r\n")).await;
}

#[tokio::test]
async fn a_body_that_ends_wrongly_never_looks_whole() {
    for (pieces, length) in [
        (&["ab", ""][..], None),
        (&["ab", ""][..], Some(5)),
        (&["ab"][..], Some(5)),
        (&["abcdefgh"][..], Some(5)),
    ] {
        let received = talk(plays(move || stream(length, pieces)), &GET.repeat(2)).await;
        assert_eq!(statuses(&received), [200], "{pieces:?} gave {received}");
        assert!(!received.contains("0\r\n\r\n"), "{pieces:?} gave {received}");
        assert!(!received.contains("abcde"), "{pieces:?} gave {received}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let sent: String =
        (0..100).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    let stage = Stage::new(|request| async move {
        let path = request.target.path().to_owned();
        if path.ends_with('3') {
            tokio::task::yield_now().await;
        }
        if path.ends_with('7') { whole("x".repeat(40_000) + &path) } else { whole(path) }
    });
    let received = talk(stage, &sent).await;
    let mut rest = &received[..];
    for number in 0..100 {
        let at = rest.find(&format!("/{number}")).unwrap_or_else(|| panic!("/{number} is missing"));
        rest = &rest[at..];
    }
    assert_eq!(statuses(&received).len(), 100);
}

#[tokio::test]
async fn a_connection_ends_as_the_client_asks() {
    let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n";
    let received = talk(plays(|| whole("x")), &format!("{close}{GET}")).await;
    assert_eq!(statuses(&received), [200]);
    assert!(received.contains("connection: close\r\n"));
    let received = talk(plays(|| whole("x")), &format!("{GET_10}{GET_10}")).await;
    assert_eq!(statuses(&received), [200]);
}

#[tokio::test]
async fn interim_heads_go_out_before_the_answer_and_none_after_it() {
    let stage = Stage::new(|request| async move {
        let sender = request.informational.unwrap();
        let mut fields = HeaderMap::new();
        fields.insert("link", HeaderValue::from_static("</a.css>; rel=preload"));
        sender.send(StatusCode::EARLY_HINTS, &fields);
        sender.send(StatusCode::OK, &fields);
        sender.send(StatusCode::SWITCHING_PROTOCOLS, &fields);
        let late = sender.clone();
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            late.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        });
        whole("x")
    });
    let received = talk(stage, GET).await;
    let hints =
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert!(received.starts_with(hints), "{received}");
    assert_eq!(statuses(&received), [103, 200]);
    let stage =
        Stage::new(|request| async move { whole(request.informational.is_some().to_string()) });
    assert!(talk(stage, GET_10).await.ends_with("false"));
}

fn upgraded() -> Answer {
    let (origin, gateway) = duplex(1024);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(origin);
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    });
    let mut answer = answer(StatusCode::SWITCHING_PROTOCOLS, AnswerBody::None);
    answer.fields.insert("upgrade", HeaderValue::from_static("websocket"));
    answer.tunnel = Some(Box::new(gateway));
    answer
}

#[tokio::test]
async fn a_101_becomes_a_tunnel_only_where_one_was_asked_for() {
    let asks = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut client = connect(plays(upgraded), limits());
    client.write_all(format!("{asks}early").as_bytes()).await.unwrap();
    let received = read_until(&mut client, "early").await;
    assert!(received.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{received}");
    assert!(
        received.contains("upgrade: websocket\r\nconnection: upgrade\r\n\r\nearly"),
        "{received}"
    );
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(read_until(&mut client, "\r\n\r\n").await, "GET / HTTP/1.1\r\n\r\n");
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);

    for sent in [
        GET,
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        assert_eq!(statuses(&talk(plays(upgraded), sent).await), [500], "{sent}");
    }
}

#[tokio::test]
async fn bytes_behind_an_upgrade_that_was_not_granted_are_the_next_request() {
    let asks = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let received = talk(Stage::echo(), &format!("{asks}{GET}")).await;
    assert_eq!(statuses(&received), [200, 200]);
}

#[tokio::test]
async fn a_panic_ends_its_exchange_with_500_and_no_other() {
    let stage = Stage::new(|request| async move {
        assert!(request.target.path() != "/panic", "as the test wants");
        whole("x")
    });
    let received = talk(stage.clone(), "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(statuses(&received), [500]);
    assert_eq!(statuses(&talk(stage, GET).await), [200]);
}

#[tokio::test]
async fn large_answers_arrive_whole_through_a_narrow_pipe() {
    let body: String = (0..60_000).map(|number| format!("{number},")).collect();
    let length = body.len();
    for make in [
        Box::new({
            let body = body.clone();
            move || whole(body.clone())
        }) as Box<dyn Fn() -> Answer + Send + Sync>,
        Box::new({
            let body = body.clone();
            move || {
                use http_body_util::BodyExt;
                let frames = http_body_util::Full::new(Bytes::from(body.clone()));
                let frames = frames.map_err(|never| match never {}).boxed_unsync();
                answer(StatusCode::OK, AnswerBody::Stream { length: Some(length as u64), frames })
            }
        }),
    ] {
        let mut client = connect_through(plays(make), limits(), 97);
        client.write_all(GET.as_bytes()).await.unwrap();
        client.write_all(GET.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let received = read_all(&mut client).await;
        assert_eq!(received.matches(&body).count(), 2);
    }
}
