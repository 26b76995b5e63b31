//! Parsers of single fields, and blocks of them.
//!
//! An input is a head's fields as text; each parser gets every value, and the input as it is.

use bytes::Bytes;
use forebay_semantics::FieldBlock;
use forebay_semantics::cache_control::{CacheControl, RequestDirectives, Seconds};
use forebay_semantics::etag::{Comparison, EntityTag, lists, tags};
use forebay_semantics::fields::{members, named_by_connection};
use forebay_semantics::status::{CacheStatus, Source};
use http::header::{HeaderName, IF_NONE_MATCH};

use crate::head;

/// Pieces of directives, tags and lists.
pub const WORDS: &[&[u8]] = &[
    b"Cache-Control: ",
    b"CDN-Cache-Control: ",
    b"Connection: ",
    b"If-None-Match: ",
    b"max-age=",
    b"max-age=\"60\"",
    b"s-maxage=",
    b"private=\"a, b\"",
    b"no-cache",
    b"max-age=60;a=1",
    b"(a b)",
    b"?1",
    b":YQ==:",
    b"@1",
    b"%\"a%c3\"",
    b"1.5",
    b"2147483648",
    b"999999999999999",
    b"W/\"",
    b"\"",
    b"\\\"",
    b"*",
    b", ",
    b"\n",
    b"\r\n",
    b"\x80",
    b"\t",
];

/// Fields survive the way into a block and back, and every parser answers.
pub fn run(bytes: &[u8]) {
    let fields = head::fields(bytes);
    let block = FieldBlock::from_map(&fields);
    assert_eq!(block.to_map(), fields);
    assert_eq!(block.iter().count(), fields.len());
    for (name, value) in block.iter() {
        assert!(block.all(name).any(|found| found == value));
        one(value);
    }
    one(bytes);
    foreign(bytes);

    CacheControl::of_response(&fields, &[HeaderName::from_static("cdn-cache-control")]);
    RequestDirectives::of(&fields).protected();
    let names = named_by_connection(&fields);
    assert!(names.as_slice().iter().all(|name| names.contains(name)));
    let stored = fields.get("etag").and_then(|value| EntityTag::parse(value.as_bytes()));
    for comparison in [Comparison::Strong, Comparison::Weak] {
        lists(&fields, &IF_NONE_MATCH, stored, comparison);
    }
}

/// One value, to each parser of values.
fn one(value: &[u8]) {
    for tag in tags(value) {
        assert!(tag.matches(tag, Comparison::Weak), "{tag:?} is not itself");
    }
    assert!(members(value).all(|member| !member.is_empty()));
    Seconds::parse(value);
    let Ok(text) = std::str::from_utf8(value) else { return };
    let said = CacheStatus { key: Some(text), ..CacheStatus::new(text, Source::Hit) };
    let mut fields = http::HeaderMap::new();
    said.append_to(&mut fields);
    assert_eq!(fields.len(), 1, "what is said of an answer was lost");
}

/// Lines that nobody has checked.
fn foreign(bytes: &[u8]) {
    let block = FieldBlock::from_wire(Bytes::copy_from_slice(bytes));
    assert!(block.to_map().len() <= block.iter().count());
}
