//! What parts from an origin promise, as tables.

use proptest::prelude::*;

use super::*;
use crate::case::of_lines;

#[test]
fn a_content_range_is_read_where_it_does_not_contradict_itself() {
    let check = |value: &str, expected: Option<(u64, u64, Option<u64>)>| {
        let found = ContentRange::parse(value.as_bytes());
        let found = found.map(|it| (it.range.first, it.range.last, it.total));
        assert_eq!(found, expected, "{value}");
    };
    check("bytes 42-1233/1234", Some((42, 1233, Some(1234))));
    check("bytes 42-1233/*", Some((42, 1233, None)));
    check("Bytes 0-0/1", Some((0, 0, Some(1))));
    check("bytes */1234", None);
    check("bytes 5-4/10", None);
    check("bytes 0-10/10", None);
    check("bytes 0-0/0", None);
    check("bytes=0-9/10", None);
    check("bytes 0-9", None);
    check("bytes 0-9/", None);
    check("bytes 0-9/1a", None);
    check("lines 0-9/10", None);
    check("bytes", None);
    check("", None);
}

#[test]
fn a_part_is_the_whole_where_every_field_agrees() {
    let check = |lines: &[(&str, &str)], expected: Option<u64>| {
        assert_eq!(as_whole(&of_lines(lines)), expected, "{lines:?}");
    };
    let all = ("content-range", "bytes 0-9/10");
    check(&[all], Some(10));
    check(&[all, ("content-length", "10")], Some(10));
    check(&[all, ("content-length", "5")], None);
    check(&[all, ("content-length", "10"), ("content-length", "5")], None);
    check(&[all, ("content-length", "10, 10")], None);
    check(&[all, all], None);
    check(&[all, ("content-type", "Multipart/ByteRanges; boundary=x")], None);
    check(&[all, ("content-type", "text/plain")], Some(10));
    check(&[("content-range", "bytes 0-9/*")], None);
    check(&[("content-range", "bytes 0-8/10")], None);
    check(&[("content-range", "bytes 1-9/10")], None);
    check(&[("content-range", "bytes 4-9/10"), ("content-length", "5")], None);
    check(&[], None);
}

#[test]
fn what_is_made_of_it_is_the_head_of_a_200() {
    let mut map = of_lines(&[("content-range", "bytes 0-9/10"), ("etag", "\"a\"")]);
    make_whole(&mut map, 10);
    assert_eq!(map, of_lines(&[("etag", "\"a\""), ("content-length", "10")]));
}

proptest! {
    #[test]
    fn no_bytes_panic(value: Vec<u8>) {
        ContentRange::parse(&value);
        ContentRange::parse(&[b"bytes ", value.as_slice()].concat());
    }

    #[test]
    fn what_we_write_we_read(first: u64, length in 1..1000_u64, rest in 0..1000_u64) {
        let first = first.min(u64::MAX - 3000);
        let range = ByteRange { first, last: first + length - 1 };
        let total = first + length + rest;
        let read = ContentRange::parse(range.content_range(total).as_bytes());
        prop_assert_eq!(read, Some(ContentRange { range, total: Some(total) }));
    }
}
