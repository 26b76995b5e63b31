//! What ranges promise, as tables.

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::Timestamp;
use crate::case::of_lines;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATE: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// What a GET with these lines wants, of a 200: `0-1 4-5`, `whole` or `416`.
fn of(lines: &[(&str, &str)], stored: &Validators<'_>, total: u64) -> String {
    let show = |part: &ByteRange| format!("{}-{}", part.first, part.last);
    match wanted(&Method::GET, StatusCode::OK, &of_lines(lines), stored, total, 4) {
        Ranged::Whole => "whole".into(),
        Ranged::Unsatisfiable => "416".into(),
        Ranged::One(part) => show(&part),
        Ranged::Many(parts) => parts.iter().map(show).collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn a_range_selects_bytes_of_the_body() {
    let check = |range: &str, total: u64, expected: &str| {
        let found = of(&[("range", range)], &Validators::default(), total);
        assert_eq!(found, expected, "{range} of {total}");
    };
    // RFC 9110 section 14.1.2.
    check("bytes=0-499", 10000, "0-499");
    check("bytes=500-999", 10000, "500-999");
    check("bytes=-500", 10000, "9500-9999");
    check("bytes=9500-", 10000, "9500-9999");
    check("bytes=0-0,-1", 10000, "0-0 9999-9999");
    check("bytes= 0-999, 4500-5499, -1000", 10000, "0-999 4500-5499 9000-9999");
    check("bytes=500-600,601-999", 10000, "500-999");
    check("bytes=500-700,601-999", 10000, "500-999");
    // Ends beyond the body.
    check("bytes=0-", 10, "0-9");
    check("bytes=5-100", 10, "5-9");
    check("bytes=-100", 10, "0-9");
    check("bytes=0-18446744073709551615", 10, "0-9");
    check("bytes=0-99999999999999999999999", 10, "0-9");
    check("bytes=-99999999999999999999999", 10, "0-9");
    check("bytes=0-", u64::MAX, "0-18446744073709551614");
    // Nothing that could be sent.
    check("bytes=10-", 10, "416");
    check("bytes=10-20,30-", 10, "416");
    check("bytes=-0", 10, "416");
    check("bytes=99999999999999999999999-", 10, "416");
    check("bytes=0-", 0, "416");
    check("bytes=-5", 0, "whole");
    // What cannot be satisfied is left out beside what can.
    check("bytes=0-1,20-30", 10, "0-1");
    // The client's order stays, unless something was merged.
    check("bytes=8-9,0-1", 10, "8-9 0-1");
    check("bytes=8-9,0-1,1-2", 10, "0-2 8-9");
    check("bytes=0-9,0-9,0-9", 10, "0-9");
    check("BYTES=0-1", 10, "0-1");
    check("bytes=,0-1,,", 10, "0-1");
    check("bytes=0-0,2-2,4-4,6-6", 10, "0-0 2-2 4-4 6-6");
}

#[test]
fn a_range_that_is_no_list_of_byte_ranges_is_ignored() {
    let check = |range: &str| {
        assert_eq!(of(&[("range", range)], &Validators::default(), 10), "whole", "{range}");
    };
    check("");
    check("bytes");
    check("bytes=");
    check("bytes=,");
    check("bytes=a-b");
    check("bytes=1");
    check("bytes=-");
    check("bytes=--1");
    check("bytes=2-1");
    check("bytes=0-1,2-1");
    check("bytes=+1-2");
    check("bytes=1 - 2");
    check("bytes=0-1;2-3");
    check("lines=0-1");
    check("bytes 0-1");
    // One range more than the bound.
    check("bytes=0-0,2-2,4-4,6-6,8-8");
}

#[test]
fn two_range_lines_other_methods_and_other_statuses_mean_the_whole() {
    let two = of(&[("range", "bytes=0-1"), ("range", "bytes=0-1")], &Validators::default(), 10);
    assert_eq!(two, "whole");
    let check = |method: Method, status: u16| {
        let status = StatusCode::from_u16(status).unwrap();
        let request = of_lines(&[("range", "bytes=0-1")]);
        let found = wanted(&method, status, &request, &Validators::default(), 10, 4);
        assert_eq!(found, Ranged::Whole, "{method} {status}");
    };
    check(Method::HEAD, 200);
    check(Method::POST, 200);
    check(Method::GET, 404);
    check(Method::GET, 203);
}

#[test]
fn if_range_holds_on_the_same_strong_validator_alone() {
    let late = parse_date(LATE.as_bytes());
    let check = |etag: &str, date: Option<Timestamp>, if_range: &str, expected: &str| {
        let etag = (!etag.is_empty()).then_some(etag.as_bytes());
        let stored = Validators { etag, last_modified: Some(DATE.as_bytes()), date };
        let found = of(&[("range", "bytes=0-1"), ("if-range", if_range)], &stored, 10);
        assert_eq!(found, expected, "{etag:?} {if_range}");
    };
    check(r#""a""#, late, r#""a""#, "0-1");
    check(r#""a""#, late, r#""b""#, "whole");
    check(r#""a""#, late, r#"W/"a""#, "whole");
    check(r#"W/"a""#, late, r#"W/"a""#, "whole");
    check(r#""a""#, late, "a", "whole");
    check(r#""a""#, late, r#""a", "b""#, "whole");
    check(r#""a""#, late, "*", "whole");
    check("", late, r#""a""#, "whole");
    check("", late, DATE, "0-1");
    check("", late, LATE, "whole");
    check("", late, "", "whole");
    // A date within a second of the response's own is no strong validator.
    check("", parse_date(DATE.as_bytes()), DATE, "whole");
    check("", None, DATE, "whole");

    let stored = Validators { etag: Some(br#""a""#), ..Validators::default() };
    let twice = [("range", "bytes=0-1"), ("if-range", r#""a""#), ("if-range", r#""a""#)];
    assert_eq!(of(&twice, &stored, 10), "whole");
}

#[test]
fn content_range_says_which_bytes_of_how_many() {
    assert_eq!(ByteRange { first: 42, last: 1233 }.content_range(1234), "bytes 42-1233/1234");
    assert_eq!(unsatisfied(1234), "bytes */1234");
}

#[test]
fn a_multipart_body_is_framed_as_the_rfc_shows() {
    let ranges = [ByteRange { first: 0, last: 1 }, ByteRange { first: 8, last: 9 }];
    let framed = Multipart::new("B", Some(b"text/plain"), &ranges, 10).unwrap();
    assert_eq!(framed.content_type, "multipart/byteranges; boundary=B");
    assert_eq!(
        String::from_utf8(body_of(&framed, b"0123456789")).unwrap(),
        "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
         \r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\
         \r\n--B--\r\n"
    );
}

#[test]
fn a_multipart_body_lets_nobody_write_into_its_framing() {
    let ranges = [ByteRange { first: 0, last: 1 }];
    for boundary in ["", "a b", "a\r\n", "ü", &"x".repeat(71)] {
        assert_eq!(Multipart::new(boundary, None, &ranges, 10), None, "{boundary}");
    }
    let framed = Multipart::new("B", Some(b"a\r\nx: y"), &ranges, 10).unwrap();
    assert_eq!(&framed.parts[0].head[..], b"--B\r\nContent-Range: bytes 0-1/10\r\n\r\n");
}

#[test]
fn a_fetch_for_the_cache_asks_for_the_whole() {
    let mut request = of_lines(&[("range", "bytes=0-1"), ("if-range", "x"), ("if-match", "y")]);
    remove(&mut request);
    assert_eq!(request, of_lines(&[("if-match", "y")]));
}

fn body_of(framed: &Multipart, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in &framed.parts {
        out.extend_from_slice(&part.head);
        out.extend_from_slice(&body[part.range.first as usize..=part.range.last as usize]);
    }
    out.extend_from_slice(&framed.end);
    out
}

proptest! {
    #[test]
    fn no_range_leaves_the_body_and_no_byte_is_sent_twice(
        list in "(([0-9]{0,3}|[0-9]{19,21})-([0-9]{0,3}|[0-9]{19,21}),){1,12}",
        total in 0..1500_u64,
        ranges_max in 0..16_usize,
    ) {
        let request = of_lines(&[("range", &format!("bytes={list}"))]);
        let stored = Validators::default();
        let found = wanted(&Method::GET, StatusCode::OK, &request, &stored, total, ranges_max);
        let parts = match found {
            Ranged::Whole | Ranged::Unsatisfiable => vec![],
            Ranged::One(part) => vec![part],
            Ranged::Many(parts) => {
                prop_assert!(parts.len() > 1);
                parts
            }
        };
        prop_assert!(parts.len() <= ranges_max);
        prop_assert!(parts.iter().all(|part| part.first <= part.last && part.last < total));
        prop_assert!(parts.iter().map(|part| part.length()).sum::<u64>() <= total);
        let body = vec![0; total as usize];
        let framed = Multipart::new("b0undary", Some(b"a/b"), &parts, total).unwrap();
        prop_assert_eq!(framed.length(), body_of(&framed, &body).len() as u64);
    }

    #[test]
    fn no_bytes_panic(range: Vec<u8>, if_range: Vec<u8>, total: u64) {
        let mut request = HeaderMap::new();
        for (name, value) in [("range", &range), ("if-range", &if_range)] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                request.append(name, value);
            }
        }
        let stored = Validators::default();
        wanted(&Method::GET, StatusCode::OK, &request, &stored, total, 16);
        parse([b"bytes=", range.as_slice()].concat().as_slice(), 16);
    }
}
