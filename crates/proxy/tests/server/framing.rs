//! Where a message ends, and what it is for: nothing that two parsers could read in two ways.

use crate::stage::{Stage, statuses, talk};

/// What a second request would be, had the first been read otherwise than it was.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Every case is refused with this status, and nothing behind it is read as a request.
async fn refused(status: u16, cases: &[&str]) {
    for head in cases {
        let received = talk(Stage::echo(), &format!("{head}{SMUGGLED}")).await;
        assert_eq!(statuses(&received), [status], "{head:?} gave {received:?}");
        assert!(received.contains("connection: close\r\n"), "{head:?} gave {received:?}");
        assert!(!received.contains("/smuggled"), "{head:?} gave {received:?}");
    }
}

#[tokio::test]
async fn both_content_length_and_transfer_encoding_are_400_and_close_cl_te_and_te_cl() {
    refused(
        400,
        &[
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_transfer_encoding_that_only_looks_like_chunked_is_400_te_te() {
    let values = [
        "xchunked",
        "chunked, chunked",
        "identity, chunked",
        "gzip, chunked",
        "chunked, identity",
        "chunked;a=b",
        "\"chunked\"",
        ",chunked",
        "chunked,",
        "chunked\u{b}",
        "chu nked",
        "",
    ];
    for value in values {
        let head =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {value}\r\n\r\n0\r\n\r\n");
        refused(400, &[&head]).await;
    }
    refused(
        400,
        &[
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    )
    .await;
    refused(501, &["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"]).await;
}

#[tokio::test]
async fn a_content_length_that_is_not_one_number_is_400_0_cl() {
    for value in ["+5", "-1", "5, 5", "5,6", "0x5", "5 5", "", "5.0", "\u{0665}", "5;"] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\nhello");
        refused(400, &[&head]).await;
    }
    refused(
        400,
        &[
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
        ],
    )
    .await;
    refused(413, &["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"])
        .await;
    refused(413, &["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n"]).await;
}

#[tokio::test]
async fn a_get_with_a_length_takes_its_body_off_before_the_next_request() {
    let sent = "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    let received = talk(Stage::echo(), sent).await;
    assert!(
        received.contains("GET /a a [hello]") && received.contains("GET /b a []"),
        "{received}"
    );
}

#[tokio::test]
async fn bare_lf_and_bare_cr_are_400_wherever_they_stand_in_a_head() {
    refused(
        400,
        &[
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\n",
            "GET / HTTP/1.1\rHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
            "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    )
    .await;
}

#[tokio::test]
async fn obs_fold_and_malformed_field_lines_are_400() {
    refused(
        400,
        &[
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX Y: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{7f}b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: a\r\n\r\n",
        ],
    )
    .await;
}

#[tokio::test]
async fn request_lines_are_three_words_with_one_space_between() {
    refused(
        400,
        &[
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\nHost: a\r\n\r\n",
            "GET HTTP/1.1\r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    )
    .await;
    refused(505, &["GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"]).await;
    refused(
        501,
        &["CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"],
    )
    .await;
}

#[tokio::test]
async fn a_host_is_one_host() {
    refused(
        400,
        &[
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_absolute_target_names_the_host_whatever_host_says() {
    for (target, expected) in [
        ("http://b/x", "GET http://b/x b []"),
        ("http://b", "GET http://b/ b []"),
        ("http://b?q", "GET http://b/?q b []"),
        ("HTTP://B:80/", "GET http://B:80/ B:80 []"),
    ] {
        let sent = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let received = talk(Stage::echo(), &sent).await;
        assert!(received.ends_with(expected), "{target} gave {received}");
    }
    refused(
        400,
        &[
            "GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://b/ HTTP/1.1\r\n\r\n",
            "GET b:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    )
    .await;
}

#[tokio::test]
async fn connection_names_no_field_that_is_not_hop_by_hop() {
    for name in ["Host", "content-length", "Transfer-Encoding"] {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, {name}\r\n\r\n");
        refused(400, &[&head]).await;
    }
}

#[tokio::test]
async fn heads_beyond_their_bounds_are_431_and_targets_414() {
    let long = "x".repeat(600);
    refused(414, &[&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")]).await;
    refused(414, &[&format!("GET /{} HTTP/1.1\r\n", &long[..515])]).await;
    let fields = format!("X: {long}\r\n").repeat(4);
    refused(431, &[&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")]).await;
    let fields = "X: y\r\n".repeat(20);
    refused(431, &[&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")]).await;
    let allowed = "X: y\r\n".repeat(19);
    let received =
        talk(Stage::echo(), &format!("GET / HTTP/1.1\r\nHost: a\r\n{allowed}\r\n")).await;
    assert_eq!(statuses(&received), [200]);
}
