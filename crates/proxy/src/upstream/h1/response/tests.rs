use proptest::prelude::*;

use super::*;
use crate::http1::Scan;

const BYTES_MAX: usize = 200;

/// What a head says: status, length of the body, and whether the connection goes on.
type Said = (u16, Ends, Persistence);

#[derive(Debug, PartialEq)]
enum Ends {
    After(u64),
    Chunked,
    WithConnection,
}

fn read(text: &[u8], head_only: HeadOnly) -> Result<Option<Said>, Fault> {
    let mut input = BytesMut::from(text);
    if !may_begin(&input) {
        return Err(Fault::new(FaultKind::Syntax, "it is not HTTP/1"));
    }
    let Some(block) = Scan::default().block(&input, bounds(BYTES_MAX))? else { return Ok(None) };
    let mut head = parse(&mut input, block)?;
    let (decoder, persistence) = head.body(head_only)?;
    let ends = match decoder.length_left() {
        Some(length) => Ends::After(length),
        None if decoder.ends_with_connection() => Ends::WithConnection,
        None => Ends::Chunked,
    };
    assert!(head.fields.get_all(CONTENT_LENGTH).iter().count() <= 1 || ends == Ends::After(0));
    Ok(Some((head.status.as_u16(), ends, persistence)))
}

#[test]
fn a_status_line_is_a_version_and_a_status() {
    let check = |line: &str, expected: Option<u16>| {
        let text = format!("{line}\r\ncontent-length: 0\r\n\r\n");
        let heard = read(text.as_bytes(), HeadOnly::No).ok().flatten();
        assert_eq!(heard.map(|(status, ..)| status), expected, "{line:?}");
    };
    check("HTTP/1.1 200 OK", Some(200));
    check("HTTP/1.0 404 Not Found", Some(404));
    check("HTTP/1.1 200 ", Some(200));
    check("HTTP/1.1 200", Some(200));
    check("HTTP/1.1 599 \u{e4}\tx", Some(599));
    for wrong in [
        "",
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 20",
        "HTTP/1.1 2000",
        "HTTP/1.1 099 x",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        "HTTP/1.1 200 a\0b",
        "HTTP/1.1 200 a\rb",
        "\r\nHTTP/1.1 200 OK",
        " HTTP/1.1 200 OK",
        "SSH-2.0-x",
    ] {
        check(wrong, None);
    }
}

#[test]
fn the_end_of_a_body_has_one_reading_or_none() {
    use Persistence::{Close, Keep};
    let check = |fields: &str, expected: Option<(Ends, Persistence)>| {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let heard = read(text.as_bytes(), HeadOnly::No).ok().flatten();
        assert_eq!(heard.map(|(_, ends, goes_on)| (ends, goes_on)), expected, "{fields:?}");
    };
    let after = |length| Some((Ends::After(length), Keep));
    check("Content-Length: 5\r\n", after(5));
    check("Content-Length: 0\r\n", after(0));
    check("Content-Length: 5, 5\r\n", after(5));
    check("Content-Length: 5\r\ncontent-length:5\r\n", after(5));
    check("Content-Length: 18446744073709551615\r\n", after(u64::MAX));
    check("Content-Length: 5\r\nConnection: a, Close\r\n", Some((Ends::After(5), Close)));
    check("Transfer-Encoding: Chunked\r\n", Some((Ends::Chunked, Keep)));
    check("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Some((Ends::Chunked, Close)));
    check("", Some((Ends::WithConnection, Close)));
    for wrong in [
        "Content-Length: -1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 1 1\r\n",
        "Content-Length: 0x1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 5,\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "A: b\n",
        "A: b\r\n c\r\n",
        "A : b\r\n",
        ": b\r\n",
        "A\r\n",
        "A: b\0c\r\n",
    ] {
        check(wrong, None);
    }
}

#[test]
fn a_response_without_a_body_may_say_any_length() {
    let fields = "Content-Length: 5\r\n\r\n";
    for (line, head_only) in [
        ("HTTP/1.1 200 OK", HeadOnly::Yes),
        ("HTTP/1.1 204 No Content", HeadOnly::No),
        ("HTTP/1.1 304 Not Modified", HeadOnly::No),
    ] {
        let heard = read(format!("{line}\r\n{fields}").as_bytes(), head_only).unwrap().unwrap();
        assert_eq!((heard.1, heard.2), (Ends::After(0), Persistence::Keep), "{line}");
    }
}

#[test]
fn http_1_0_goes_on_only_where_it_says_so() {
    let check = |fields: &str, expected: Persistence| {
        let text = format!("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n{fields}\r\n");
        assert_eq!(read(text.as_bytes(), HeadOnly::No).unwrap().unwrap().2, expected, "{fields}");
    };
    check("", Persistence::Close);
    check("connection: keep-alive\r\n", Persistence::Keep);
    check("connection: keep-alive, close\r\n", Persistence::Close);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_the_way_they_are_split_changes_nothing(
        text in "(HTTP/1\\.[019] [0-9]{2,4}( [a-z]*)?\r\n)?([a-zA-Z: \r\n\t0-9,]|content-length: 1\r\n){0,40}",
        cut in 0usize..200,
    ) {
        let bytes = text.as_bytes();
        let whole = Scan::default().block(bytes, bounds(BYTES_MAX));
        let mut scan = Scan::default();
        let split = match scan.block(&bytes[..cut.min(bytes.len())], bounds(BYTES_MAX)) {
            Ok(None) => scan.block(bytes, bounds(BYTES_MAX)),
            ended => ended,
        };
        prop_assert_eq!(whole, split);
        let _ = read(bytes, HeadOnly::No);
        let _ = read(bytes, HeadOnly::Yes);
    }
}
