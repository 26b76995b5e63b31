//! What the program keeps: the stored form of responses and of indexes.

use bytes::Bytes;
use forebay::kept_codec::KeptCodec;
use forebay_cache::mechanism::{Head, HeadCodec};

/// Fields that say what a body is, and numbers.
pub const WORDS: &[&[u8]] = &[
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x02\0\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\0",
    b"content-type: text/html; charset=utf-8\r\n",
    b"content-type: application/problem+json\r\n",
    b"content-encoding: gzip\r\n",
    b"content-type: \r\n",
    b"\r\n",
];

/// What reads is written again as the same bytes.
pub fn run(bytes: &[u8]) {
    let Some(kept) = KeptCodec.decode(&Bytes::copy_from_slice(bytes)) else { return };
    let mut written = Vec::new();
    KeptCodec.encode(&kept, &mut written);
    assert_eq!(written, bytes);

    KeptCodec.is_compressible(&kept);
    // What is kept in memory is no heavier than a bound on what was read makes it.
    assert!(kept.weight_bytes() <= WEIGHT_PER_BYTE * bytes.len() + WEIGHT_MIN);
    let kinds = [kept.response().is_some(), kept.variants().is_some(), kept.coded().is_some()];
    assert_eq!(kinds.into_iter().filter(|is_it| *is_it).count(), 1);
}

/// A nominated field of nine bytes is one struct in memory.
const WEIGHT_PER_BYTE: usize = 12;

const WEIGHT_MIN: usize = 1024;
