//! Where one request ends and the next begins: CL.TE, TE.CL, TE.TE, 0.CL, folds, bare line ends,
//! and what two parsers could read in two ways (RFC 9112 sections 2 to 6). Refused with 400 and a
//! close; nothing of it reaches the origin.

use crate::stage::{Stage, mirror, mirror_unkept, status_lines, text};

/// What a second parser might take for a request of its own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Sends each head of a POST with the smuggled request behind it: all refused, none heard.
async fn refuses_heads(heads: &[&str]) {
    let mut stage = Stage::start(mirror).await;
    for head in heads {
        let sent = format!("POST /a HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        // 413 for a length that is a number, and too large.
        stage.refuses(sent.as_bytes(), &[400, 413, 501]).await;
    }
    stage.lives().await;
    assert_eq!(stage.origin.asked(), ["GET /lives"]);
}

#[tokio::test]
async fn cl_te_and_te_cl_are_refused() {
    refuses_heads(&[
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "content-length: 5\r\ntransfer-encoding: CHUNKED",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        "Content-Length: 5\r\nTransfer-Encoding:",
        "Content-Length: 5\r\nX: y\r\nTransfer-Encoding: gzip, chunked",
    ])
    .await;
}

#[tokio::test]
async fn te_te_in_every_disguise_is_refused() {
    refuses_heads(&[
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chun\tked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: \x0cchunked",
        "Transfer-Encoding: chunked\x0b",
        "Transfer-Encoding: chunked\x00",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding:\n chunked",
        "Transfer-Encoding\r\n : chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "X: y\r\n\rTransfer-Encoding: chunked",
        "Transfer-Encoding: \u{a0}chunked",
        "Transfer-Encoding\u{a0}: chunked",
        "Transfer-Encoding: ",
    ])
    .await;
}

#[tokio::test]
async fn an_alias_of_a_framing_field_never_reaches_the_origin() {
    let stage = Stage::start(mirror).await;
    // `Transfer_Encoding` is `Transfer-Encoding` to a CGI origin; the length counts here.
    let sent = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent_Length: 9\r\n\
        Content-Length: 5\r\n\r\nhello";
    let answer = stage.talk(sent.as_bytes()).await;
    assert_eq!(status_lines(&answer), [200]);
    let heard = text(&stage.get("/b").await) + &answer;
    assert!(!heard.contains("ransfer_") && !heard.contains("ontent_"), "{heard}");
}

#[tokio::test]
async fn zero_cl_and_lengths_that_are_no_one_number_are_refused() {
    refuses_heads(&[
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 6",
        "Content-Length: 5, 5",
        "Content-Length: 0, 5",
        "Content-Length: +5",
        "Content-Length: -0",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 6",
        "Content-Length: 5\x0b",
        "Content-Length: 5.0",
        "Content-Length: 5e1",
        "Content-Length: ",
        "Content-Length: \u{0665}",
        "Content-Length: 18446744073709551616",
        "Content-Length: 18446744073709551621",
        "Content-Length: 99999999999999999999999999",
        "Content-Length:\r\n 5",
        "Content-Length : 5",
        " Content-Length: 5",
        "X: y\nContent-Length: 5",
    ])
    .await;
}

#[tokio::test]
async fn a_length_that_cannot_be_kept_is_refused_before_the_body() {
    let stage = Stage::start(mirror).await;
    let huge = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n";
    stage.refuses(huge.as_bytes(), &[413]).await;
}

#[tokio::test]
async fn a_body_that_belongs_to_a_get_is_never_the_next_request() {
    // 0.CL: an early answer must not leave the body to be read as a request.
    let stage = Stage::start(mirror_unkept).await;
    let length = SMUGGLED.len();
    for head in [
        "GET /a HTTP/1.1\r\nHost: a",
        "HEAD /a HTTP/1.1\r\nHost: a",
        "GET /con HTTP/1.1\r\nHost: a",
        "OPTIONS /a HTTP/1.1\r\nHost: a",
        "DELETE /a HTTP/1.1\r\nHost: a",
        "GET /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue",
        "GET /a HTTP/1.1\r\nHost: a\r\nCache-Control: only-if-cached",
    ] {
        let sent = format!("{head}\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}");
        let came = stage.talk(sent.as_bytes()).await;
        let finals = status_lines(&came).into_iter().filter(|status| *status >= 200).count();
        assert_eq!(finals, 1, "{head}: {came}");
        let chunked = format!(
            "{head}\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"
        );
        let came = stage.talk(chunked.as_bytes()).await;
        let finals = status_lines(&came).into_iter().filter(|status| *status >= 200).count();
        assert_eq!(finals, 1, "{head}, chunked: {came}");
    }
    let asked = stage.origin.asked();
    assert!(!asked.iter().any(|asked| asked.contains("smuggled")), "{asked:?}");
}

#[tokio::test]
async fn http_1_0_cannot_send_chunks_nor_bodies_until_close() {
    let mut stage = Stage::start(mirror).await;
    for head in
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nConnection: keep-alive"]
    {
        let sent = format!("POST /a HTTP/1.0\r\nHost: a\r\n{head}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        stage.refuses(sent.as_bytes(), &[400]).await;
    }
    // Without a length there is no body: what follows is not read to the close (CVE-2026-2835).
    let sent = format!("POST /a HTTP/1.0\r\nHost: a\r\n\r\n{SMUGGLED}");
    let came = stage.until_closed(sent.as_bytes()).await;
    assert_eq!(status_lines(&came).len(), 1, "{came}");
    stage.lives().await;
    assert_eq!(stage.origin.asked(), ["POST /a", "GET /lives"]);
    assert!(stage.origin.heard()[0].body.is_empty());
}

#[tokio::test]
async fn folds_are_refused() {
    refuses_heads(&[
        "X: y\r\n z\r\nContent-Length: 0",
        "X: y\r\n\tz\r\nContent-Length: 0",
        "X:\r\n y\r\nContent-Length: 0",
        // CVE-2025-32094: a folded Expect.
        "Expect:\r\n 100-continue\r\nContent-Length: 5",
        "Expect: 100-\r\n continue\r\nContent-Length: 5",
        "\tX: y\r\nContent-Length: 0",
    ])
    .await;
}

#[tokio::test]
async fn bare_line_ends_and_other_control_bytes_are_refused() {
    let mut stage = Stage::start(mirror).await;
    for sent in [
        "GET /a HTTP/1.1\nHost: a\n\n",
        "GET /a HTTP/1.1\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\n\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n\n",
        "GET /a HTTP/1.1\rHost: a\r\r",
        "GET /a HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX: y\nz: 1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX\r: y\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX: y\0\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n",
        "GET /a\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n",
        "GET /a\rHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a\nHTTP/1.1\r\nHost: a\r\n\r\n",
        "\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        stage.refuses(format!("{sent}{SMUGGLED}").as_bytes(), &[400]).await;
    }
    stage.lives().await;
    assert_eq!(stage.origin.asked(), ["GET /lives"]);
}

#[tokio::test]
async fn what_is_no_request_line_or_no_field_line_is_refused() {
    let mut stage = Stage::start(mirror).await;
    for sent in [
        "GET  /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t/a\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1x\r\nHost: a\r\n\r\n",
        "GET /a http/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/01.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET /a HTTP/0.9\r\nHost: a\r\n\r\n",
        "G(T /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nX(: z\r\n\r\n",
        "GET /a HTTP/1.1\r\n Host: a\r\n\r\n",
        " GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ] {
        stage.refuses(format!("{sent}{SMUGGLED}").as_bytes(), &[400, 505]).await;
    }
    stage.lives().await;
    assert_eq!(stage.origin.asked(), ["GET /lives"]);
}

#[tokio::test]
async fn connect_and_trace_are_refused() {
    let mut stage = Stage::start(mirror).await;
    for sent in [
        "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n",
    ] {
        let came = stage.talk(sent.as_bytes()).await;
        let statuses = status_lines(&came);
        assert!(statuses.len() == 1 && [400, 405, 501].contains(&statuses[0]), "{sent}: {came}");
        assert!(!came.contains("secret"), "{came}");
    }
    stage.lives().await;
    assert_eq!(stage.origin.asked(), ["GET /lives"]);
}
