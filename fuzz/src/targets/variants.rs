//! Variants: one index, and responses that come to it.
//!
//! An input is any number of heads, each ended by an empty line: a request's, then its response's,
//! and so on.

use std::collections::HashSet;

use forebay_semantics::date::Timestamp;
use forebay_semantics::variants::{Variants, Vary};
use http::HeaderMap;

use crate::head;

/// Fields that responses vary on.
pub const WORDS: &[&[u8]] = &[
    b"Vary: ",
    b"Accept-Encoding: ",
    b"Accept-Language: ",
    b"Accept: ",
    b"Cookie: a=b",
    b"ETag: \"a\"",
    b"accept-encoding",
    b"accept-language, accept",
    b"gzip;q=0.5",
    b"identity;q=0",
    b"*;q=0",
    b"de-CH",
    b"q=1.000",
    b";",
    b", ",
    b"*",
    b"\"",
    b"\n",
    b"\n\n",
];

const RECEIVED: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
const VARIANTS_MAX: usize = 4;
const EXCHANGES_MAX: usize = 16;

/// What was taken in is chosen for the request that brought it, and the index stays bounded.
pub fn run(bytes: &[u8]) {
    let mut index = Variants::new(1);
    let mut rest = bytes;
    for _ in 0..EXCHANGES_MAX {
        let (request, behind) = head::split(rest);
        let (response, behind) = head::split(behind);
        take_in(&mut index, &head::fields(request), &head::fields(response));
        rest = behind;
    }
}

fn take_in(index: &mut Variants, request: &HeaderMap, response: &HeaderMap) {
    let etag = response.get("etag").map(http::HeaderValue::as_bytes);
    let vary = Vary::of(response);
    if let Some(taken) = index.take_in(&vary, request, etag, RECEIVED, VARIANTS_MAX) {
        let chosen = index.choose(request).expect("it fits the request that brought it");
        assert_eq!(chosen.id(), taken.id);
        assert!(taken.dropped.iter().all(|id| index.iter().all(|variant| variant.id() != *id)));
    }
    let ids: HashSet<_> = index.iter().map(|variant| variant.id()).collect();
    assert_eq!(ids.len(), index.iter().count());
    assert!(ids.len() <= VARIANTS_MAX);
    assert!(index.etags().iter().all(|etag| index.with_etag(etag).is_some()));
    index.write_wanted(request, &mut Vec::new());
    assert!(index.weight_bytes() >= size_of::<Variants>());
}
