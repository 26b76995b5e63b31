//! A response that did not come to its end is never kept as whole, whatever its framing, and
//! whoever waited for it (pingora#932, pingora#668).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_trial::client::Client;
use forebay_trial::counting::crowd;
use forebay_trial::origin::{Reply, Then};
use forebay_trial::wire::{Ending, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::frames::{self, BODY, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, SETTINGS};
use crate::stage::{PATIENCE, Stage, gateway, is_hit, text};

const HEAD: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"x\"\r\n";

fn closing(bytes: String) -> Reply {
    Reply { bytes: bytes.into_bytes(), then: Then::Close }
}

/// The first answer is cut; the next client gets what is whole.
async fn is_never_kept(cut: String) {
    let count = AtomicUsize::new(0);
    let shown = cut.clone();
    let stage = Stage::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => closing(cut.clone()),
        _ => Reply::whole(200, &["Cache-Control: max-age=60", "ETag: \"x\""], b"the whole of it"),
    })
    .await;
    let mut client = stage.client().await;
    let request = "GET /k HTTP/1.1\r\nHost: a\r\n\r\n";
    if let Ok(first) = client.ask(request, PATIENCE).await {
        let is_error = first.head.status().is_ok_and(|status| status >= 500);
        assert!(first.ending == Ending::Cut || is_error, "it looks whole: {}", first.shown());
    }
    let next = stage.get("/k").await;
    assert!(!is_hit(&next), "{shown:?} was kept: {}", next.shown());
    assert_eq!(text(&next), "the whole of it", "{shown:?}");
    assert!(is_hit(&stage.get("/k").await), "and the whole was not");
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_never_kept() {
    is_never_kept(format!("{HEAD}Content-Length: 100\r\n\r\nhalf")).await;
    is_never_kept(format!("{HEAD}Content-Length: 5\r\n\r\nhalf")).await;
    is_never_kept(format!("{HEAD}Content-Length: 5\r\n\r\n")).await;
}

#[tokio::test]
async fn chunks_that_break_off_are_never_kept() {
    let head = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    for body in [
        "5\r\nhello\r\n",
        "5\r\nhel",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0",
        "",
        "5",
        "5\r\nhello",
    ] {
        is_never_kept(format!("{head}{body}")).await;
    }
    for garbage in ["zz\r\n", "5\r\nhelloXX0\r\n\r\n", "-1\r\n\r\n", "ffffffffffffffffff\r\nx"] {
        is_never_kept(format!("{head}{garbage}")).await;
    }
}

#[tokio::test]
async fn a_head_that_breaks_off_is_never_kept() {
    is_never_kept(HEAD.to_owned()).await;
    is_never_kept(format!("{HEAD}Content-Length: 5\r\n")).await;
}

#[tokio::test]
async fn a_large_body_that_is_cut_is_never_kept() {
    is_never_kept(format!("{HEAD}Content-Length: 3000000\r\n\r\n{}", "x".repeat(2_999_999))).await;
}

#[tokio::test]
async fn all_who_waited_for_a_cut_body_see_that_it_is_cut() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let stage = Stage::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0..50 => closing(format!("{HEAD}Content-Length: 100000\r\n\r\n{}", "x".repeat(50_000))),
        _ => Reply::whole(200, &["Cache-Control: max-age=60"], b"whole"),
    })
    .await;
    let request = "GET /k HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers = crowd(50, stage.gateway.address, request, PATIENCE).await;
    for answer in answers.into_iter().flatten() {
        let failed = answer.head.status().is_ok_and(|status| status >= 500);
        assert!(answer.ending == Ending::Cut || failed, "{}", answer.head.start);
    }
    count.store(50, Ordering::SeqCst);
    assert_eq!(text(&stage.get("/k").await), "whole");
}

#[tokio::test]
async fn a_connection_that_is_reset_never_ends_a_body() {
    // Even where only the close ends the body: a reset is no close.
    for framing in ["Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n", ""] {
        let address = raw_origin(move |mut stream, number| async move {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            if number > 0 {
                let whole = Reply::whole(200, &["Cache-Control: max-age=60"], b"whole");
                return drop(stream.write_all(&whole.bytes).await);
            }
            let bytes = format!("{HEAD}{framing}\r\nhalf");
            let _ = stream.write_all(bytes.as_bytes()).await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            stream.set_zero_linger().expect("a TCP socket");
        })
        .await;
        let gateway = gateway(address, &[]).await;
        let first = ask(gateway.address).await;
        if let Some(first) = first.filter(|_| !framing.is_empty()) {
            let failed = first.head.status().is_ok_and(|status| status >= 500);
            assert!(first.ending == Ending::Cut || failed, "{framing}: {}", first.shown());
        }
        let next = ask(gateway.address).await.expect("an answer");
        assert_eq!(text(&next), "whole", "{framing}");
    }
}

#[tokio::test]
async fn an_http2_stream_that_the_origin_resets_never_ends_a_body() {
    for reset in [Ends::Reset, Ends::GoesAway, Ends::Short, Ends::Long] {
        let address = raw_origin(move |stream, number| h2_origin(stream, number, reset)).await;
        let to = format!("to = [\"h2c://{address}\"]");
        let gateway = h2c_gateway(&to).await;
        let first = ask(gateway.address).await;
        if let Some(first) = first {
            let failed = first.head.status().is_ok_and(|status| status >= 500);
            assert!(first.ending == Ending::Cut || failed, "{reset:?}: {}", first.shown());
        }
        let next = ask(gateway.address).await.expect("an answer");
        assert_eq!(text(&next), "whole", "{reset:?}");
    }
}

/// How an HTTP/2 origin leaves a body unfinished.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Reset,
    GoesAway,
    Short,
    Long,
}

async fn h2_origin(mut stream: TcpStream, number: usize, ends: Ends) {
    let mut preface = [0; 24];
    if stream.read_exact(&mut preface).await.is_err() {
        return;
    }
    let _ = stream.write_all(&frames::frame(SETTINGS, 0, 0, &[])).await;
    let mut asked = number;
    while let Some(frame) = frames::next(&mut stream).await {
        let (kind, id) = (frame.kind, frame.stream);
        if kind == SETTINGS && frame.flags == 0 {
            let _ = stream.write_all(&frames::frame(SETTINGS, 1, 0, &[])).await;
        }
        if kind != HEADERS {
            continue;
        }
        let said = if asked == 0 { "10" } else { "5" };
        let mut block = vec![0x88];
        block
            .extend(frames::literals(&[("cache-control", "max-age=60"), ("content-length", said)]));
        let mut bytes = frames::frame(HEADERS, END_HEADERS, id, &block);
        match (asked, ends) {
            (0, Ends::Reset) => {
                bytes.extend(frames::frame(BODY, 0, id, b"half"));
                bytes.extend(frames::frame(RST_STREAM, 0, id, &2u32.to_be_bytes()));
            }
            (0, Ends::GoesAway) => bytes.extend(frames::frame(BODY, 0, id, b"half")),
            (0, Ends::Short) => bytes.extend(frames::frame(BODY, END_STREAM, id, b"half")),
            (0, Ends::Long) => {
                bytes.extend(frames::frame(BODY, END_STREAM, id, b"more than it said"));
            }
            (_, _) => bytes.extend(frames::frame(BODY, END_STREAM, id, b"whole")),
        }
        let _ = stream.write_all(&bytes).await;
        if asked == 0 && matches!(ends, Ends::GoesAway) {
            return;
        }
        asked += 1;
    }
}

/// An origin that a function plays, told which connection it is.
async fn raw_origin<F>(play: impl Fn(TcpStream, usize) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        for number in 0.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(play(stream, number));
        }
    });
    address
}

/// The program with a route of its own to this member, before the one that the trial writes.
async fn h2c_gateway(to: &str) -> forebay_trial::real::Gateway {
    let nowhere = forebay_trial::real::free_address().expect("a free port");
    gateway(nowhere, &[("route", to)]).await
}

async fn ask(address: SocketAddr) -> Option<Message> {
    let mut client = Client::connect(address).await.expect("it accepts");
    client.ask("GET /k HTTP/1.1\r\nHost: a\r\n\r\n", PATIENCE).await.ok()
}
