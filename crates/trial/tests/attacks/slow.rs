//! Slowness as an attack: heads, bodies and answers byte by byte, and connections that are only
//! held. Each ends by its bound while others are served.

use std::time::Duration;

use forebay_trial::origin::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use crate::stage::{PATIENCE, Stage, is_hit, mirror, mirror_unkept, read_to_end, status_lines};

#[tokio::test]
async fn heads_that_trickle_in_are_ended_by_the_clock_and_not_by_each_byte() {
    let lines = [("limits", "head_timeout = \"500ms\""), ("limits", "idle_timeout = \"500ms\"")];
    let mut stage = Stage::with(&lines, mirror).await;
    let mut slow = JoinSet::new();
    for sent in
        ["GET /k HTTP/1.1\r\nHost: a\r\nX: ", "GET /", "", "PRI * HTTP/2.0\r\n\r\n", "POST "]
    {
        for _ in 0..10 {
            let mut stream = stage.connect().await;
            slow.spawn(async move {
                let _ = stream.write_all(sent.as_bytes()).await;
                let (mut reader, mut writer) = stream.split();
                let trickle = async {
                    loop {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        let byte: &[u8] = if sent.is_empty() { b"" } else { b"x" };
                        if writer.write_all(byte).await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                };
                let mut read = Vec::new();
                tokio::select! {
                    _ = reader.read_to_end(&mut read) => {}
                    () = trickle => {}
                    () = tokio::time::sleep(PATIENCE) => panic!("{sent:?} is still open"),
                }
                String::from_utf8_lossy(&read).into_owned()
            });
        }
    }
    assert_eq!(stage.get("/k").await.head.status(), Ok(200));
    while let Some(ended) = slow.join_next().await {
        let came = ended.expect("it ends");
        assert!(!came.contains(" 200 "), "{came}");
    }
    assert_eq!(stage.origin.asked(), ["GET /k"]);
    stage.lives().await;
}

#[tokio::test]
async fn bodies_that_stop_are_ended_and_never_whole_to_the_origin() {
    let mut stage = Stage::with(&[("limits", "body_timeout = \"500ms\"")], mirror_unkept).await;
    for head in ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"] {
        let sent = format!("POST /k HTTP/1.1\r\nHost: a\r\n{head}");
        let came = stage.until_closed(sent.as_bytes()).await;
        assert!(status_lines(&came).iter().all(|status| *status >= 400), "{came}");
    }
    stage.lives().await;
    let whole = |heard: &forebay_trial::wire::Message| {
        heard.ending == forebay_trial::wire::Ending::Whole && heard.head.method() == "POST"
    };
    assert!(!stage.origin.heard().iter().any(whole));
}

#[tokio::test]
async fn readers_that_take_nothing_are_ended_and_pin_no_memory() {
    // Larger than what the system's own buffers swallow.
    const LENGTH: usize = 20 << 20;
    let mut stage = Stage::with(&[("limits", "send_timeout = \"700ms\"")], |_| {
        Reply::whole(200, &["Cache-Control: max-age=60"], &vec![b'x'; LENGTH])
    })
    .await;
    assert_eq!(stage.get("/big").await.body.len(), LENGTH);
    let before = stage.resident_bytes();
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut stream = stage.connect().await;
        stream.write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
        slow.push(stream);
    }
    assert!(is_hit(&stage.get("/big").await));
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < 64 << 20, "{more} bytes more for readers of one body");
    // Nobody reads for longer than any of them has.
    tokio::time::sleep(Duration::from_millis(2000)).await;
    for mut stream in slow {
        let mut read = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await;
        assert!(ended.is_ok(), "it is still open");
        assert!(read.len() < LENGTH, "all {} bytes waited for it", read.len());
    }
    stage.lives().await;
}

#[tokio::test]
async fn a_slow_reader_of_an_arriving_body_holds_up_nobody() {
    let lines = [("limits", "send_timeout = \"2s\"")];
    let stage = Stage::with(&lines, |_| {
        Reply::whole(200, &["Cache-Control: max-age=60"], &vec![b'x'; 4 << 20])
    })
    .await;
    // The first client leads the fetch and reads nothing.
    let mut first = stage.connect().await;
    first.write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
    let second = stage.get("/big").await;
    assert_eq!(second.body.len(), 4 << 20);
    assert_eq!(stage.origin.heard().len(), 1);
    drop(first);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_and_are_served_when_the_idle_ones_end() {
    let lines = [
        ("limits", "connections_max = 8"),
        ("limits", "idle_timeout = \"500ms\""),
        ("limits", "head_timeout = \"500ms\""),
    ];
    let mut stage = Stage::with(&lines, mirror).await;
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(stage.connect().await);
    }
    // Behind forty who say nothing: five times eight, half a second each.
    let answer = stage.get("/k").await;
    assert_eq!(answer.head.status(), Ok(200));
    for mut stream in held {
        assert_eq!(read_to_end(&mut stream).await, "", "it was closed without a word");
    }
    stage.lives().await;
}

#[tokio::test]
async fn a_flood_of_connections_that_come_and_go_leaves_nothing_behind() {
    let mut stage = Stage::start(mirror).await;
    stage.get("/k").await;
    let before = stage.resident_bytes();
    for round in 0..10 {
        let mut held = Vec::new();
        for _ in 0..200 {
            let mut stream = stage.connect().await;
            if round % 2 == 0 {
                let _ = stream.write_all(b"GET /k HTTP/1.1\r\nHost: a\r\n").await;
            }
            held.push(stream);
        }
    }
    stage.lives().await;
    let begun = std::time::Instant::now();
    while stage.metric("forebay_connections").await > 5 {
        assert!(begun.elapsed() < PATIENCE, "connections that were closed are still counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < 64 << 20, "{more} bytes more after two thousand connections");
}

#[tokio::test]
async fn requests_beyond_the_bound_are_refused_at_once() {
    let lines = [("limits", "requests_max = 4")];
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("it is bound");
    let gateway = crate::stage::gateway(address, &lines).await;
    let mut held = Vec::new();
    for number in 0..4 {
        let mut client =
            forebay_trial::client::Client::connect(gateway.address).await.expect("it accepts");
        let sent = format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send(sent.as_bytes(), PATIENCE).await;
        // The origin takes it and says nothing.
        held.push((client, silent.accept().await.expect("the gateway connects")));
    }
    let mut client =
        forebay_trial::client::Client::connect(gateway.address).await.expect("it accepts");
    let answer = client.ask("GET /more HTTP/1.1\r\nHost: a\r\n\r\n", PATIENCE).await;
    assert_eq!(answer.expect("an answer").head.status(), Ok(503));
}

#[tokio::test]
async fn slow_readers_of_many_bodies_pin_no_more_than_the_bounds_say() {
    let lines = [("gateway", "memory = \"16MiB\"")];
    let mut stage = Stage::with(&lines, |request| match request.head.target() {
        "/lives" => mirror(request),
        _ => Reply::whole(200, &["Cache-Control: max-age=60"], &vec![b'x'; 3 << 19]),
    })
    .await;
    stage.lives().await;
    let before = stage.resident_bytes();
    let mut slow = Vec::new();
    for number in 0..300 {
        // A narrow window, so that the system takes little of an answer.
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a size that may be");
        let mut stream = socket.connect(stage.gateway.address).await.expect("it accepts");
        let sent = format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(sent.as_bytes()).await.expect("it reads");
        slow.push(stream);
    }
    let begun = std::time::Instant::now();
    while stage.origin.heard().len() < 301 {
        assert!(begun.elapsed() < PATIENCE, "the origin heard {}", stage.origin.heard().len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The tier, 64 MiB of bodies beside it, and beyond these a window of 256 KiB a body.
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < 220 << 20, "{more} bytes more are resident for 450 MiB of answers");
    stage.lives().await;
    drop(slow);
}
