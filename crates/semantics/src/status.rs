//! The words of RFC 9211 (`Cache-Status`), and every reason for a miss.

mod detail;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub use detail::Detail;

/// Bytes of a string (a key, mostly) that are shown; the rest is left out.
pub const STRING_BYTES_MAX: usize = 256;

/// The greatest number of a structured field (RFC 9651 section 3.3.1).
const INTEGER_MAX: i64 = 999_999_999_999_999;

/// Why a request went forward to the origin (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// The configuration said not to look.
    Bypass,
    /// The method's semantics require it.
    Method,
    /// Nothing stored under the cache key.
    UriMiss,
    /// Something stored under the key, but no variant fits.
    VaryMiss,
    /// Nothing stored fits, for another or an unknown reason.
    Miss,
    /// The request's own directives demanded it.
    Request,
    /// What is stored is stale.
    Stale,
    /// What is stored is only a part of what was asked for.
    Partial,
}

impl Forward {
    /// Every one.
    pub const ALL: [Forward; 8] = [
        Forward::Bypass,
        Forward::Method,
        Forward::UriMiss,
        Forward::VaryMiss,
        Forward::Miss,
        Forward::Request,
        Forward::Stale,
        Forward::Partial,
    ];

    /// The word in `Cache-Status`, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Forward::Bypass => "bypass",
            Forward::Method => "method",
            Forward::UriMiss => "uri-miss",
            Forward::VaryMiss => "vary-miss",
            Forward::Miss => "miss",
            Forward::Request => "request",
            Forward::Stale => "stale",
            Forward::Partial => "partial",
        }
    }
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// From what was stored, without going forward (RFC 9211 section 2.1).
    Hit,
    /// From the origin, for this reason.
    Forward(Forward),
    /// From the gateway itself: an error, or a refusal.
    Own,
}

/// What this cache did for one exchange (RFC 9211 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheStatus<'a> {
    /// What this cache calls itself.
    pub name: &'a str,
    /// Where the answer came from.
    pub source: Source,
    /// The status that the origin gave; said after going forward only.
    pub fwd_status: Option<StatusCode>,
    /// The freshness that remains, in seconds; negative when stale.
    pub ttl: Option<i64>,
    /// Whether the answer was kept; said after going forward only.
    pub stored: bool,
    /// Whether it was shared with a fetch already under way; said after going forward only.
    pub collapsed: bool,
    /// The cache key, where it is shown.
    pub key: Option<&'a str>,
    /// The one reason.
    pub detail: Option<&'static str>,
}

impl<'a> CacheStatus<'a> {
    /// Of an answer from this source, with nothing else said yet.
    pub const fn new(name: &'a str, source: Source) -> Self {
        CacheStatus {
            name,
            source,
            fwd_status: None,
            ttl: None,
            stored: false,
            collapsed: false,
            key: None,
            detail: None,
        }
    }

    /// Appends the field value to `out`: `forebay; hit; ttl=30`.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_item(self.name, out);
        match self.source {
            Source::Hit => out.extend_from_slice(b"; hit"),
            Source::Forward(reason) => self.write_forward(reason, out),
            Source::Own => {}
        }
        if let Some(ttl) = self.ttl {
            out.extend_from_slice(b"; ttl=");
            write_integer(ttl, out);
        }
        if let Some(key) = self.key {
            out.extend_from_slice(b"; key=");
            write_string(key, out);
        }
        if let Some(detail) = self.detail {
            out.extend_from_slice(b"; detail=");
            write_item(detail, out);
        }
    }

    fn write_forward(&self, reason: Forward, out: &mut Vec<u8>) {
        out.extend_from_slice(b"; fwd=");
        out.extend_from_slice(reason.word().as_bytes());
        if let Some(status) = self.fwd_status {
            out.extend_from_slice(b"; fwd-status=");
            out.extend_from_slice(status.as_str().as_bytes());
        }
        if self.stored {
            out.extend_from_slice(b"; stored");
        }
        if self.collapsed {
            out.extend_from_slice(b"; collapsed");
        }
    }

    /// Adds this cache's member behind those of the caches nearer the origin, which stay as they
    /// are (RFC 9211 section 2).
    pub fn append_to(&self, fields: &mut HeaderMap) {
        let mut line = Vec::with_capacity(96);
        self.write(&mut line);
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            fields.append(HeaderName::from_static("cache-status"), value);
        }
    }

    /// The word of the `X-Cache` field (P1.11).
    pub const fn x_cache(&self) -> &'static str {
        match (self.source, self.ttl) {
            (Source::Hit, Some(..0)) => "STALE",
            (Source::Hit, _) => "HIT",
            (Source::Forward(Forward::Bypass | Forward::Method), _) | (Source::Own, _) => "BYPASS",
            (
                Source::Forward(
                    Forward::UriMiss
                    | Forward::VaryMiss
                    | Forward::Miss
                    | Forward::Request
                    | Forward::Partial,
                ),
                _,
            ) => "MISS",
            (Source::Forward(Forward::Stale), _) => "EXPIRED",
        }
    }

    /// The word of the `X-Store` field (P1.11): whether this exchange left something in the cache.
    pub const fn x_store(&self) -> &'static str {
        match (self.source, self.stored) {
            (Source::Forward(_), true) => "STORED",
            (Source::Forward(_), false) => "BYPASS",
            (Source::Hit | Source::Own, _) => "NONE",
        }
    }
}

/// Writes a token where it is one, otherwise a string (RFC 9651 sections 3.3.3 and 3.3.4).
fn write_item(text: &str, out: &mut Vec<u8>) {
    if is_token(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_string(text, out);
    }
}

fn is_token(text: &[u8]) -> bool {
    text.first().is_some_and(|&b| b.is_ascii_alphabetic() || b == b'*')
        && text.iter().all(|&b| FOLLOWS_IN_TOKEN[usize::from(b)])
}

/// Whether a byte may stand in a token behind its first. In a table, as each answer asks it of a name.
static FOLLOWS_IN_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let others = matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-'..=b'/' | b':');
        let more = matches!(byte, b'^'..=b'`' | b'|' | b'~');
        table[byte as usize] = byte.is_ascii_alphanumeric() || others || more;
        byte += 1;
    }
    table
};

/// Writes a string; bytes that none may hold are written as in a URI.
fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'"');
    for byte in text.bytes().take(STRING_BYTES_MAX) {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[b'%', HEX[high], HEX[low]]);
            }
        }
    }
    out.push(b'"');
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    let number = number.clamp(-INTEGER_MAX, INTEGER_MAX);
    if number < 0 {
        out.push(b'-');
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
