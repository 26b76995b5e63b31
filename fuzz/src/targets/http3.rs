//! A client's streams of HTTP/3, byte for byte: requests with their frames and fields, and what is said
//! beside them.
//!
//! The first byte of an input says which; the rest is the stream. It is read at once and in crumbs.

use forebay::config::Limits;
use forebay::server::h3::fuzz::{beside, request};

/// Pieces of streams.
pub const WORDS: &[&[u8]] = &[
    // Frames: DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, unknown.
    b"\x00\x05hello",
    b"\x00\x00",
    b"\x03\x01\x00",
    b"\x04\x00",
    b"\x04\x06\x01\x00\x06\x40\x64\x07",
    b"\x05\x01\x00",
    b"\x07\x01\x04",
    b"\x0d\x01\x04",
    b"\x21\x03abc",
    b"\x02\x00",
    // A whole GET, and its parts.
    b"\x01\x0e\x00\x00\xd1\xd7\x50\x07a.b.com\xc1",
    b"\x01\x08\x00\x00\xd1\xd7\x50\x01a\xc1",
    b"\x01\x10\x00\x00\xd4\xd7\x50\x01a\xc1\x54\x015\x23\x41: b",
    b"\x00\x00",
    b"\xd1",
    b"\xd7",
    b"\xc1",
    b"\x50\x01a",
    b"\x51\x02/x",
    b"\x54\x015",
    b"\x29\x1f\x83\x9b\xd9\xab",
    b"\x24host\x01a",
    b"\x22te\x08trailers",
    b"\x7f\xff\xff\xff\xff",
    b"\xc0\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\x40\x00",
];

/// How a stream was cut has changed nothing of what was heard.
pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 2 {
        0 => {
            let whole = request(bytes, bytes.len(), &limits());
            assert_eq!(whole, request(bytes, 1, &limits()));
            assert_eq!(whole, request(bytes, 7, &limits()));
        }
        _ => {
            let whole = beside(bytes, bytes.len());
            assert_eq!(whole, beside(bytes, 1));
            assert_eq!(whole, beside(bytes, 7));
        }
    }
}

fn limits() -> Limits {
    Limits { head_bytes_max: 2048, target_bytes_max: 512, fields_max: 20, ..Limits::default() }
}
