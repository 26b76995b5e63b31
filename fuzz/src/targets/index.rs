//! Indexes of variants: their stored form, and an index that goes on from what reads.

use std::collections::HashSet;

use bytes::Bytes;
use forebay_semantics::date::Timestamp;
use forebay_semantics::variants::{Variants, Vary};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Names, lengths and numbers.
pub const WORDS: &[&[u8]] = &[
    b"\x06\0\0\0accept\x01\0\0\0\0",
    b"\x0f\0\0\0accept-encoding",
    b"\x06\0\0\0cookie",
    b"\x01\0\0\0*",
    b"\x01\x03\0\0\0\"a\"",
    b"\x01\x02\0\0\0\r\n",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x01\0",
    b"\x01\0\0\0",
    b"\x20\0\0\0",
    b"\x21\0\0\0",
];

const VARIANTS_MAX: usize = 4;
const RECEIVED: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

/// What reads is written again as the same bytes, and is an index like any other.
pub fn run(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let Some(mut index) = Variants::decode(&bytes) else { return };
    let mut written = Vec::new();
    index.encode(&mut written);
    assert_eq!(written, bytes);

    let ids: HashSet<_> = index.iter().map(|variant| variant.id()).collect();
    assert_eq!(ids.len(), index.iter().count());
    assert!(index.etags().into_iter().all(|etag| HeaderValue::from_bytes(etag).is_ok()));

    let mut request = HeaderMap::new();
    request.insert(HeaderName::from_static("accept"), HeaderValue::from_static("a"));
    index.choose(&request);
    index.write_wanted(&request, &mut Vec::new());
    assert!(index.weight_bytes() >= size_of::<Variants>());
    let mut vary = HeaderMap::new();
    vary.insert(HeaderName::from_static("vary"), HeaderValue::from_static("accept"));
    let taken = index.take_in(&Vary::of(&vary), &request, None, RECEIVED, VARIANTS_MAX);
    let taken = taken.expect("one short value is not too much");
    assert_eq!(index.choose(&request).map(|variant| variant.id()), Some(taken.id));
    assert!(index.iter().count() <= VARIANTS_MAX);
}
