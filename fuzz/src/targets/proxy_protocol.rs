//! For whom a peer speaks: the PROXY protocol, versions 1 and 2.

use forebay::server::proxy_protocol::{Parsed, parse};

/// Pieces of headers.
pub const WORDS: &[&[u8]] = &[
    b"PROXY ",
    b"TCP4 ",
    b"TCP6 ",
    b"UNKNOWN",
    b"192.0.2.1 ",
    b"2001:db8::1 ",
    b"65535",
    b"\r\n",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"\x21\x11\0\x0c",
    b"\x21\x21\0\x24",
    b"\x20\0\0\0",
];

/// A header is the same whatever follows it, is within what came, and needs every byte that it has.
pub fn run(bytes: &[u8]) {
    let Ok(Parsed::Header { client, length }) = parse(bytes) else { return };
    assert!(length <= bytes.len());
    assert_eq!(parse(&bytes[..length]), Ok(Parsed::Header { client, length }));
    for cut in 0..length {
        assert_eq!(parse(&bytes[..cut]), Ok(Parsed::Hungry), "cut at {cut}");
    }
}
