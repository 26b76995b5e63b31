//! Bodies of requests: chunks that two parsers read in two ways, expectations, upgrades, pipelines,
//! and bodies that nobody wanted (RFC 9112 section 7, CVE-2025-4366, CVE-2024-56202).

use forebay_trial::origin::Reply;
use forebay_trial::wire::Ending;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{PATIENCE, Stage, is_hit, mirror, mirror_unkept, raw, status_lines, text};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn chunks_that_are_not_as_the_rfc_writes_them_never_make_a_request() {
    let mut stage = Stage::start(mirror_unkept).await;
    for body in [
        "ffffffffffffffff\r\nx\r\n0\r\n\r\n",
        "10000000000000000\r\nx\r\n0\r\n\r\n",
        "8000000000000000\r\nx\r\n0\r\n\r\n",
        "100000000000000000000000005\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5h\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\t5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";x\r\nhello\r\n0\r\n\r\n",
        "5;x\n\r\nhello\r\n0\r\n\r\n",
        "5;x\ry\r\nhello\r\n0\r\n\r\n",
        "5;x\0\r\nhello\r\n0\r\n\r\n",
        "5;x=\"\n\"\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello\n\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nX\r\n\r\n",
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\nZ: z\r\n\r\n",
        "5\r\nhello\r\n0\r\n X: y\r\n\r\n",
    ] {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let came = stage.until_closed(format!("{head}{body}{SMUGGLED}").as_bytes()).await;
        // 413 for a number that is one, and too large.
        assert!(matches!(status_lines(&came)[..], [400 | 413]), "{body:?}: {came}");
    }
    stage.lives().await;
    // What has begun to reach the origin before the fault ended there without its end.
    let whole = stage.origin.heard().into_iter().filter(|heard| heard.ending == Ending::Whole);
    let whole: Vec<_> = whole.map(|heard| heard.head.start).collect();
    assert_eq!(whole, ["GET /lives HTTP/1.1"]);
}

#[tokio::test]
async fn endless_chunk_extensions_and_trailers_are_cut_off() {
    let mut stage = Stage::start(mirror_unkept).await;
    let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = format!("{head}5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(1 << 20));
    let trailers = format!("{head}5\r\nhello\r\n0\r\n{}\r\n", "X: y\r\n".repeat(200_000));
    for sent in [extension, trailers] {
        let came = stage.until_closed(sent.as_bytes()).await;
        let statuses = status_lines(&came);
        assert!(statuses.iter().all(|status| [400, 413, 431].contains(status)), "{came}");
    }
    stage.lives().await;
}

#[tokio::test]
async fn trailers_never_become_fields_of_the_request() {
    let stage = Stage::start(mirror_unkept).await;
    let sent = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
        Trailer: Host, Content-Length, Authorization\r\n\r\n5\r\nhello\r\n0\r\n\
        Host: evil\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nAuthorization: evil\r\n\
        X-Forwarded-For: evil\r\n\r\n";
    let came = stage.talk(sent.as_bytes()).await;
    assert!(!came.contains("evil"), "{came}");
    for heard in stage.origin.heard() {
        for name in ["host", "content-length", "transfer-encoding", "authorization"] {
            let found = heard.trailers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
            assert_eq!(found, None, "a trailer that no trailer may be");
        }
    }
}

#[tokio::test]
async fn a_request_in_the_body_of_a_hit_is_not_executed() {
    let stage = Stage::start(mirror).await;
    stage.get("/hit").await;
    let (length, get) = (SMUGGLED.len(), "GET /hit HTTP/1.1\r\nHost: a\r\n");
    for sent in [
        format!("{get}Content-Length: {length}\r\n\r\n{SMUGGLED}"),
        format!("{get}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("{get}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"),
    ] {
        // The next request on the same connection is answered as what it is, or not at all.
        let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
        let came = stage.talk(format!("{sent}{next}").as_bytes()).await;
        assert!(!came.contains("GET /smuggled"), "{came}");
        let finals = status_lines(&came).into_iter().filter(|status| *status >= 200).count();
        assert!((1..=2).contains(&finals), "{came}");
    }
    let asked = stage.origin.asked();
    assert!(!asked.iter().any(|asked| asked.contains("smuggled")), "{asked:?}");
}

#[tokio::test]
async fn a_body_that_stops_in_a_hit_leaves_no_connection_half_read() {
    let stage = Stage::with(&[("limits", "body_timeout = \"300ms\"")], mirror).await;
    stage.get("/hit").await;
    let sent = "GET /hit HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nshort";
    // Answered, and closed: what comes later is not read as a request.
    let came = stage.until_closed(sent.as_bytes()).await;
    assert_eq!(status_lines(&came), [200], "{came}");
}

#[tokio::test]
async fn expectations_cannot_be_abused() {
    let mut stage = Stage::start(mirror_unkept).await;
    for expectation in ["y 100-continue", "200-ok", "100-continue, x", "\"100-continue\"", "x=y"] {
        let sent = format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nExpect: {expectation}\r\n\
            Content-Length: 5\r\n\r\nhello{SMUGGLED}"
        );
        let came = stage.until_closed(sent.as_bytes()).await;
        assert_eq!(status_lines(&came), [417], "{expectation}: {came}");
    }
    // Never before the body is wanted, never twice, and never to the origin.
    let sent = format!(
        "POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\
        Content-Length: {}\r\n\r\n{SMUGGLED}",
        SMUGGLED.len()
    );
    let came = stage.talk(sent.as_bytes()).await;
    let finals: Vec<_> = status_lines(&came).into_iter().filter(|status| *status != 100).collect();
    assert_eq!(finals, [200], "{came}");
    stage.lives().await;
    assert_eq!(stage.origin.asked(), ["POST /b", "GET /lives"]);
}

#[tokio::test]
async fn clients_that_wait_for_100_continue_for_ever_are_let_go() {
    let lines = [("limits", "body_timeout = \"300ms\""), ("limits", "requests_max = 4")];
    let mut stage = Stage::with(&lines, mirror_unkept).await;
    let sent = "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let mut stream = stage.connect().await;
        stream.write_all(sent.as_bytes()).await.expect("the gateway reads");
        waiting.push(stream);
    }
    for mut stream in waiting {
        let came = crate::stage::read_to_end(&mut stream).await;
        let finals: Vec<_> = status_lines(&came).into_iter().filter(|s| *s != 100).collect();
        assert!(finals.iter().all(|status| *status >= 400), "{came}");
    }
    stage.lives().await;
}

#[tokio::test]
async fn bytes_behind_an_upgrade_that_was_refused_are_no_secret_tunnel() {
    // CVE-2026-2833: nothing is passed through before a 101.
    let stage = Stage::start(mirror_unkept).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: evil\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n";
    for upgrade in ["websocket", "h2c", "TLS/1.0", "x"] {
        let sent = format!(
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
            Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n{smuggled}"
        );
        stage.talk(sent.as_bytes()).await;
    }
    for heard in stage.origin.heard() {
        assert_eq!(heard.head.field("http2-settings"), None);
        let who = heard.head.field("x-forwarded-for").unwrap_or_default();
        assert_eq!(who, "127.0.0.1", "{} came raw", heard.head.start);
    }
}

#[tokio::test]
async fn no_tunnel_in_which_http_goes_on_is_opened() {
    // h2c smuggling: inside of it every rule of this gateway would be passed by.
    let stage = Stage::start(|request| match request.head.field("upgrade") {
        Some(to) => {
            raw(format!("HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: {to}\r\n\r\ntunnelled"))
        }
        None => Reply::whole(200, &["Cache-Control: no-store"], b"plain"),
    })
    .await;
    for upgrade in ["h2c", "H2C", "HTTP/2.0", "TLS/1.0", "websocket, h2c", "h2c\r\nUpgrade: x"] {
        let sent = format!(
            "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
            Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        );
        let came = stage.talk(sent.as_bytes()).await;
        assert!(status_lines(&came) == [200] && came.ends_with("plain"), "{upgrade}: {came}");
    }
    // What is no HTTP is tunnelled once both sides agree.
    let sent = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let came = stage.talk(sent.as_bytes()).await;
    assert!(status_lines(&came) == [101] && came.ends_with("tunnelled"), "{came}");
}

#[tokio::test]
async fn a_thousand_pipelined_requests_are_answered_in_order() {
    let mut stage = Stage::start(|request| {
        Reply::whole(200, &["Cache-Control: no-store"], request.head.target().as_bytes())
    })
    .await;
    let mut stream = stage.connect().await;
    let (mut reader, mut writer) = stream.split();
    let mut sent = String::new();
    for number in 0..1000 {
        let close = if number == 999 { "Connection: close\r\n" } else { "" };
        sent.push_str(&format!("GET /{number:04} HTTP/1.1\r\nHost: a\r\n{close}\r\n"));
    }
    let mut came = Vec::new();
    let both =
        async { tokio::join!(writer.write_all(sent.as_bytes()), reader.read_to_end(&mut came)).0 };
    tokio::time::timeout(PATIENCE * 2, both).await.expect("it ends").expect("it is read");
    let came = String::from_utf8_lossy(&came);
    let bodies: Vec<String> =
        came.split("\r\n\r\n").skip(1).map(|b| b.chars().take(5).collect()).collect();
    let expected: Vec<String> = (0..1000).map(|number| format!("/{number:04}")).collect();
    assert_eq!(bodies, expected);
    stage.lives().await;
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_holds_up_nobody() {
    let lines = [("limits", "send_timeout = \"500ms\""), ("gateway", "memory = \"64MiB\"")];
    let mut stage = Stage::with(&lines, |_| {
        Reply::whole(200, &["Cache-Control: max-age=60"], &[b'x'; 1 << 20])
    })
    .await;
    stage.get("/big").await;
    let before = stage.resident_bytes();
    let mut stream = stage.connect().await;
    let sent = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200);
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(sent.as_bytes())).await;
    assert!(is_hit(&stage.get("/big").await));
    // It is cut off although it is still there.
    let mut read = Vec::new();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("it is cut");
    assert!(read.len() < 150 << 20, "all {} bytes were kept for it", read.len());
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more for one client");
    stage.lives().await;
    assert!(text(&stage.get("/lives").await).starts_with('x'));
}
