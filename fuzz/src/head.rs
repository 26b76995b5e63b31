//! Heads as text: how an input says fields, a status, and several heads behind each other.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Fields of one head; more are left out.
const FIELDS_MAX: usize = 128;

/// What stands before the first empty line, and behind it.
pub(crate) fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (&[], bytes),
    }
}

/// The first line, and what follows it.
pub(crate) fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

/// A status, then fields.
pub(crate) fn status_and_fields(bytes: &[u8]) -> (StatusCode, HeaderMap) {
    let status = bytes.get(..3).and_then(|digits| StatusCode::from_bytes(digits).ok());
    (status.unwrap_or(StatusCode::OK), fields(bytes.get(4..).unwrap_or_default()))
}

/// The fields among these lines, as far as a parser of heads would let them through.
pub(crate) fn fields(bytes: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(FIELDS_MAX) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    fields
}
