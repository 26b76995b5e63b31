//! Ranges that clients ask for, and parts that origins send.
//!
//! An input is a body's length, the request's fields, an empty line, and the response's fields.

use forebay_semantics::date::Timestamp;
use forebay_semantics::partial::{ContentRange, as_whole, make_whole};
use forebay_semantics::range::{ByteRange, Multipart, Ranged, wanted};
use forebay_semantics::validation::Validators;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use crate::head;

/// Pieces of ranges.
pub const WORDS: &[&[u8]] = &[
    b"Range: bytes=",
    b"If-Range: \"a\"",
    b"Content-Range: bytes ",
    b"Content-Length: ",
    b"Content-Type: multipart/byteranges; boundary=x",
    b"ETag: \"a\"",
    b"0-0",
    b"-1",
    b"5-",
    b"0-9/10",
    b"*/10",
    b"0-9/*",
    b",",
    b" ",
    b"18446744073709551615",
    b"18446744073709551616",
    b"\n",
    b"\n\n",
];

const RECEIVED: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
const RANGES_MAX: usize = 16;

/// No answer holds a byte twice, or one that is not there.
pub fn run(bytes: &[u8]) {
    let (total, heads) = head::line(bytes);
    let total = std::str::from_utf8(total).ok().and_then(|digits| digits.trim().parse().ok());
    let (request, response) = head::split(heads);
    let (request, response) = (head::fields(request), head::fields(response));
    client(&request, &response, total.unwrap_or(10_000));
    origin(response);
}

fn client(request: &HeaderMap, response: &HeaderMap, total: u64) {
    let validators = Validators::of(response, RECEIVED);
    let status = StatusCode::OK;
    let ranges = match wanted(&Method::GET, status, request, &validators, total, RANGES_MAX) {
        Ranged::Whole | Ranged::Unsatisfiable => return,
        Ranged::One(range) => vec![range],
        Ranged::Many(ranges) => ranges,
    };
    assert!(ranges.len() <= RANGES_MAX);
    let mut sorted = ranges.clone();
    sorted.sort_unstable();
    assert!(sorted.windows(2).all(|pair| pair[0].last < pair[1].first), "{ranges:?}");
    assert!(sorted.iter().all(|range| range.first <= range.last && range.last < total));

    let kind = response.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let framed = Multipart::new("THIS", kind, &ranges, total).expect("letters are a boundary");
    let heads: usize = framed.parts.iter().map(|part| part.head.len()).sum();
    let bytes = ranges.iter().map(|range| u128::from(range.length())).sum::<u128>();
    let length = bytes + (heads + framed.end.len()) as u128;
    assert_eq!(u128::from(framed.length()), length.min(u128::from(u64::MAX)));
}

fn origin(mut response: HeaderMap) {
    for value in &response.get_all(CONTENT_RANGE) {
        let Some(ContentRange { range, total }) = ContentRange::parse(value.as_bytes()) else {
            continue;
        };
        let ByteRange { first, last } = range;
        assert!(first <= last && total.is_none_or(|total| last < total), "{value:?}");
    }
    let Some(total) = as_whole(&response) else { return };
    make_whole(&mut response, total);
    assert!(!response.contains_key(CONTENT_RANGE));
    assert_eq!(response[CONTENT_LENGTH], total.to_string());
}
