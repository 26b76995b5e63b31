//! Stored heads: their stored form, and the rules on whatever reads.

use std::time::Duration;

use bytes::Bytes;
use forebay_semantics::Standing;
use forebay_semantics::date::Timestamp;
use forebay_semantics::fields::{FIELD_BYTES_MAX, FIELD_LINES_MAX};
use forebay_semantics::policy::Policy;
use forebay_semantics::request::Asked;
use forebay_semantics::reuse::reuse;
use forebay_semantics::stored::Stored;
use http::{HeaderMap, Method};

/// Names that must not get through, values that mean something to the rules, and numbers.
pub const WORDS: &[&[u8]] = &[
    b"\r\n",
    b": ",
    b"age: 1\r\n",
    b"connection: close\r\n",
    b"content-length: 5\r\n",
    b"transfer-encoding: chunked\r\n",
    b"cache-control: max-age=1\r\n",
    b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    b"etag: \"a\"\r\n",
    b"last-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    b"vary: accept, *\r\n",
    b"a: \r\n",
    b"\0\0\0\0\0\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\x80",
    b"\xc8\0",
    b"\xe7\x03",
];

/// What reads is written again as the same bytes, and no rule stumbles over it.
pub fn run(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let Some(stored) = Stored::decode(&bytes) else { return };
    let mut written = Vec::new();
    stored.encode(&mut written);
    assert_eq!(written, bytes);

    let lines = stored.fields().iter().count();
    assert!(lines <= FIELD_LINES_MAX && stored.fields().len() <= FIELD_BYTES_MAX);
    let map = stored.fields().to_map();
    assert_eq!(map.len(), lines);
    for name in ["age", "connection", "content-length", "transfer-encoding"] {
        assert!(!map.contains_key(name), "{name}");
    }
    let shown = stored.fields().as_bytes();
    assert_eq!(shown.iter().filter(|byte| **byte == b'\n').count(), lines);
    judge(&stored, &map);
}

fn judge(stored: &Stored, map: &HeaderMap) {
    let policy = Policy::default();
    let asked = Asked::of(&Method::GET, &HeaderMap::new(), &policy);
    let received_at = stored.received_at();
    for now in [
        Timestamp::EPOCH,
        received_at,
        received_at.saturating_add(Duration::from_secs(60)),
        Timestamp::from_unix_millis(u64::MAX),
    ] {
        reuse(&asked, stored, &policy, &Standing::default(), now);
        assert_eq!(stored.is_fresh(now), stored.staleness(now).is_none());
        stored.ttl_seconds(now);
        stored.freshen(&policy, map, now, now);
        stored.freshened_by_head(&policy, map, 5, now, now);
        assert!(!stored.clone().made_stale(now).is_fresh(now));
    }
    stored.vary();
}
