//! Floods of HTTP/2 frames: rapid reset, MadeYouReset, CONTINUATION, HPACK bombs, crumbs, empty
//! BODY, windows that stay shut. The flooder is closed or bounded; others are served meanwhile.

use std::time::Duration;

use forebay_trial::origin::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::frames::{
    BODY, CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Outcome, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, frame, get, literals, next, outcome, request, until,
};
use crate::stage::{PATIENCE, Stage, is_hit, mirror, mirror_unkept, text};

/// Memory that one flooder may cost.
const FLOOD_BYTES_MAX: u64 = 64 << 20;

/// What came of a flood.
#[derive(Debug, PartialEq, Eq)]
enum Flood {
    /// The gateway closed the connection.
    Closed,
    /// It took all.
    Taken,
}

/// Sends so many pieces, or until the gateway closes; reads and forgets what comes.
async fn flood(
    stage: &Stage,
    pieces: u32,
    opening: Vec<u8>,
    mut piece: impl FnMut(u32) -> Vec<u8>,
) -> Flood {
    let stream = stage.h2(&[]).await;
    let (mut reader, mut writer) = stream.into_split();
    let reading = tokio::spawn(async move {
        let mut bytes = vec![0; 1 << 16];
        while reader.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    });
    let writing = async {
        writer.write_all(&opening).await?;
        for number in 0..pieces {
            writer.write_all(&piece(number)).await?;
        }
        // Whoever closes does so by now.
        writer.write_all(&frame(PING, 0, 0, &[0; 8])).await
    };
    let sent = timeout(PATIENCE, writing).await.expect("it is read, or refused");
    let closed = sent.is_err() || timeout(Duration::from_millis(500), reading).await.is_ok();
    if closed { Flood::Closed } else { Flood::Taken }
}

/// The gateway closes a connection with this flood, others are served, memory stays small.
async fn closes(opening: Vec<u8>, piece: impl FnMut(u32) -> Vec<u8>) -> Stage {
    let mut stage = Stage::start(mirror_unkept).await;
    stage.lives().await;
    let before = stage.resident_bytes();
    assert_eq!(flood(&stage, 20_000, opening, piece).await, Flood::Closed);
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < FLOOD_BYTES_MAX, "{more} bytes more");
    stage.lives().await;
    stage
}

#[tokio::test]
async fn rapid_reset_closes_the_connection() {
    let stage = closes(Vec::new(), |number| {
        let stream = number * 2 + 1;
        let mut frames = request(stream, &get("/reset"));
        frames.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        frames
    })
    .await;
    let asked = stage.origin.asked().into_iter().filter(|asked| asked == "GET /reset").count();
    assert!(asked < 1000, "the origin was asked {asked} times");
}

#[tokio::test]
async fn made_you_reset_closes_the_connection() {
    // CVE-2025-8671: mistakes after a request, so that the server itself resets the stream.
    for mistake in [
        |stream: u32| frame(WINDOW_UPDATE, 0, stream, &0u32.to_be_bytes()),
        |stream: u32| frame(WINDOW_UPDATE, 0, stream, &0x7fff_ffffu32.to_be_bytes()),
        |stream: u32| frame(BODY, 0, stream, b"after the end"),
        |stream: u32| request(stream, &get("/again")),
    ] {
        let stage = closes(Vec::new(), |number| {
            let stream = number * 2 + 1;
            let mut frames = request(stream, &get("/made"));
            frames.extend(mistake(stream));
            frames
        })
        .await;
        let asked = stage.origin.asked().into_iter().filter(|asked| asked == "GET /made").count();
        assert!(asked < 1000, "the origin was asked {asked} times");
    }
}

#[tokio::test]
async fn malformed_requests_without_end_close_the_connection() {
    closes(Vec::new(), |number| request(number * 2 + 1, &[(":method", "GET"), ("X", "y")])).await;
}

#[tokio::test]
async fn a_continuation_flood_closes_the_connection() {
    let begun = || frame(HEADERS, END_STREAM, 1, &literals(&get("/k")));
    let long = literals(&[("x", &"y".repeat(1000))]);
    closes(begun(), |_| frame(CONTINUATION, 0, 1, &long)).await;
    closes(begun(), |_| frame(CONTINUATION, 0, 1, &[])).await;
    closes(begun(), |_| frame(CONTINUATION, 0, 1, &literals(&[("x", "")]))).await;
}

#[tokio::test]
async fn an_hpack_bomb_is_refused_before_it_is_unpacked() {
    let mut stage = Stage::start(mirror).await;
    let before = stage.resident_bytes();
    let mut block = literals(&get("/k"));
    // One field of 3 KiB goes into the table; each further byte names it again: 48 MB.
    block.extend([0x40, 1, b'x', 127, 0x81, 0x17]);
    block.extend([b'y'; 3072]);
    block.extend(vec![0xbe; 12_000]);
    for _ in 0..20 {
        let frames = frame(HEADERS, END_STREAM | END_HEADERS, 1, &block);
        let outcome = stage.h2_sends(&frames).await;
        assert!(!matches!(outcome, Outcome::Answered(200, _)), "{outcome:?}");
    }
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < FLOOD_BYTES_MAX, "{more} bytes more");
    assert_eq!(stage.origin.heard().len(), 0);
    stage.lives().await;
}

#[tokio::test]
async fn cookie_crumbs_are_bounded_and_one_field() {
    let mut stage = Stage::start(mirror).await;
    let few: Vec<_> = get("/k").into_iter().chain([("cookie", "a=1"), ("cookie", "b=2")]).collect();
    let Outcome::Answered(200, body) = stage.h2_sends(&request(1, &few)).await else {
        panic!("two crumbs are no attack");
    };
    assert!(body.to_ascii_lowercase().contains("cookie: a=1; b=2\r\n"), "{body}");
    let heard = stage.origin.heard().len();
    // Each crumb is one byte of a block, and dozens of bytes unpacked.
    let mut block = literals(&get("/crumbs"));
    block.extend([0x40]);
    block.extend([6, b'c', b'o', b'o', b'k', b'i', b'e', 1, b'x']);
    block.extend(vec![0xbe; 15_000]);
    let outcome = stage.h2_sends(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)).await;
    assert!(!matches!(outcome, Outcome::Answered(200, _)), "{outcome:?}");
    assert_eq!(stage.origin.heard().len(), heard);
    stage.lives().await;
}

#[tokio::test]
async fn floods_of_frames_that_say_nothing_starve_nobody() {
    let mut stage = Stage::start(mirror_unkept).await;
    stage.lives().await;
    let before = stage.resident_bytes();
    let [_, scheme, authority, path] = get("/empty");
    let post = literals(&[(":method", "POST"), scheme, authority, path]);
    let open = frame(HEADERS, END_HEADERS, 1, &post);
    let floods: [(&str, Vec<u8>, Vec<u8>); 6] = [
        ("empty DATA", open.clone(), frame(BODY, 0, 1, &[])),
        ("padding", open, frame(BODY, 8, 1, &[10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("PING", Vec::new(), frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", Vec::new(), frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])),
        ("PRIORITY", Vec::new(), frame(2, 0, 1001, &[0, 0, 0, 0, 1])),
        ("unknown", Vec::new(), frame(0x77, 0, 0, &[0; 16])),
    ];
    for (name, opening, piece) in floods {
        let flooding = flood(&stage, 50_000, opening, |_| piece.clone());
        let serving = async {
            for _ in 0..5 {
                assert_eq!(stage.get("/k").await.head.status(), Ok(200), "{name}");
            }
        };
        tokio::join!(flooding, serving);
        let more = stage.resident_bytes().saturating_sub(before);
        assert!(more < FLOOD_BYTES_MAX, "{more} bytes more after {name}");
    }
    stage.lives().await;
}

#[tokio::test]
async fn a_client_that_reads_no_answers_to_its_pings_is_bounded() {
    let mut stage = Stage::with(&[("limits", "send_timeout = \"1s\"")], mirror_unkept).await;
    stage.lives().await;
    let before = stage.resident_bytes();
    let mut stream = stage.h2(&[]).await;
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1000);
    for _ in 0..2000 {
        // It either stops reading, or closes.
        let sent = timeout(Duration::from_millis(500), stream.write_all(&pings)).await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < FLOOD_BYTES_MAX, "{more} bytes more");
    stage.lives().await;
}

#[tokio::test]
async fn windows_that_stay_shut_are_ended_and_pin_no_memory() {
    // The HTTP/2 bomb of 2026: many streams, each answered, none taken.
    let lines = [("limits", "send_timeout = \"1s\""), ("gateway", "memory = \"64MiB\"")];
    let mut stage = Stage::with(&lines, |_| {
        Reply::whole(200, &["Cache-Control: max-age=60"], &vec![b'x'; 4 << 20])
    })
    .await;
    stage.get("/big").await;
    let before = stage.resident_bytes();
    let mut shut = Vec::new();
    for _ in 0..5 {
        // SETTINGS_INITIAL_WINDOW_SIZE = 1.
        let mut stream = stage.h2(&[0, 4, 0, 0, 0, 1]).await;
        for number in 0..100 {
            let sent = request(number * 2 + 1, &get("/big"));
            stream.write_all(&sent).await.expect("the gateway reads");
        }
        shut.push(stream);
    }
    assert!(is_hit(&stage.get("/big").await));
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < FLOOD_BYTES_MAX, "{more} bytes more for 500 answers that nobody takes");
    for mut stream in shut {
        let ended = timeout(PATIENCE, async { while next(&mut stream).await.is_some() {} }).await;
        assert!(ended.is_ok(), "it is still open");
    }
    stage.lives().await;
}

#[tokio::test]
async fn windows_that_open_by_one_byte_now_and_then_are_ended_or_bounded() {
    let lines = [("limits", "send_timeout = \"1s\""), ("limits", "requests_max = 200")];
    let mut stage = Stage::with(&lines, |_| {
        Reply::whole(200, &["Cache-Control: max-age=60"], &vec![b'x'; 1 << 20])
    })
    .await;
    stage.get("/big").await;
    let before = stage.resident_bytes();
    let mut stream = stage.h2(&[0, 4, 0, 0, 0, 1]).await;
    for number in 0..100 {
        stream.write_all(&request(number * 2 + 1, &get("/big"))).await.expect("it reads");
    }
    for round in 0..20u32 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let open = frame(WINDOW_UPDATE, 0, (round % 100) * 2 + 1, &1u32.to_be_bytes());
        if stream.write_all(&open).await.is_err() {
            break;
        }
    }
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < FLOOD_BYTES_MAX, "{more} bytes more");
    assert!(is_hit(&stage.get("/big").await));
    stage.lives().await;
}

#[tokio::test]
async fn streams_beyond_the_bound_are_refused() {
    let lines = [("limits", "streams_max = 10")];
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let stage = Stage::with(&lines, mirror).await;
    // A route to an origin that takes everything and says nothing.
    let gateway = crate::stage::gateway(silent.local_addr().expect("it is bound"), &lines).await;
    let held = Stage { gateway, origin: stage.origin };
    let mut stream: TcpStream = held.h2(&[]).await;
    for number in 0..20 {
        let path = format!("/{number}");
        stream.write_all(&request(number * 2 + 1, &get(&path))).await.expect("it reads");
    }
    let refused = until(&mut stream, &[RST_STREAM, GOAWAY]).await;
    assert!(refused.is_some_and(|frame| frame.stream == 21 || frame.kind == GOAWAY));
}

#[tokio::test]
async fn an_answer_over_http2_is_that_of_its_stream() {
    let stage = Stage::start(mirror_unkept).await;
    let mut stream = stage.h2(&[]).await;
    for number in 0..50u32 {
        let path = format!("/{number}");
        stream.write_all(&request(number * 2 + 1, &get(&path))).await.expect("it reads");
        let Outcome::Answered(200, body) = outcome(&mut stream).await else { panic!("{number}") };
        assert!(body.starts_with(&format!("GET /{number} HTTP/1.1")), "{body}");
    }
    assert!(text(&stage.get("/0").await).starts_with("GET /0 "));
}
