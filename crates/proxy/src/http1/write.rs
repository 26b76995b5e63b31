//! Lines as they go over the wire, the same in both directions (RFC 9112 sections 5 and 7.1).

use http::HeaderName;

/// Appends a field line.
pub(crate) fn append_field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a chunk's size line; the chunk and its CRLF follow.
pub(crate) fn append_chunk_size(out: &mut Vec<u8>, size: usize) {
    let mut digits = [0; 16];
    let mut place = digits.len();
    let mut left = size;
    while place == digits.len() || left > 0 {
        place -= 1;
        digits[place] = b"0123456789abcdef"[left & 15];
        left >>= 4;
    }
    out.extend_from_slice(&digits[place..]);
    out.extend_from_slice(b"\r\n");
}
