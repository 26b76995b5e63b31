//! A 206 from the origin: when it is the whole after all (RFC 9111 sections 3.3 and 3.4, RFC 9110
//! section 15.3.7).
//!
//! Any other part is passed on and not kept.

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderValue, header};

use crate::range::{ByteRange, number};

/// What a `Content-Range` of bytes says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Which bytes the part holds.
    pub range: ByteRange,
    /// How many the whole has, where that is known.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads a field value such as `bytes 0-4/10`; one that contradicts itself is none (RFC 9110
    /// section 14.4).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = value.trim_ascii();
        let (unit, rest) = value.split_at_checked(b"bytes ".len())?;
        if !unit.eq_ignore_ascii_case(b"bytes ") {
            return None;
        }
        let slash = rest.iter().position(|&byte| byte == b'/')?;
        let (places, total) = (&rest[..slash], &rest[slash + 1..]);
        let dash = places.iter().position(|&byte| byte == b'-')?;
        let range =
            ByteRange { first: number(&places[..dash])?, last: number(&places[dash + 1..])? };
        let total = match total {
            b"*" => None,
            digits => Some(number(digits)?),
        };
        let fits = range.first <= range.last && total.is_none_or(|total| range.last < total);
        fits.then_some(ContentRange { range, total })
    }
}

/// How many bytes a 206 with these fields has, where its one part is the whole.
///
/// Such a response may be kept as a 200 (RFC 9110 section 15.3.7.3) once exactly so many bytes have
/// come.
pub fn as_whole(fields: &HeaderMap) -> Option<u64> {
    let range = ContentRange::parse(only(fields, header::CONTENT_RANGE)?.as_bytes())?;
    let total = range.total?;
    let is_all = range.range == ByteRange { first: 0, last: total.checked_sub(1)? };
    if !is_all || is_multipart(fields) {
        return None;
    }
    match fields.contains_key(header::CONTENT_LENGTH) {
        true => {
            let length = only(fields, header::CONTENT_LENGTH)?;
            (number(length.as_bytes().trim_ascii())? == total).then_some(total)
        }
        false => Some(total),
    }
}

/// Makes of the fields of such a 206 those of the 200 that it stands for.
pub fn make_whole(fields: &mut HeaderMap, total: u64) {
    fields.remove(header::CONTENT_RANGE);
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(total));
}

/// Whether the body is framed in parts, whatever `Content-Range` says beside it.
fn is_multipart(fields: &HeaderMap) -> bool {
    const KIND: &[u8] = b"multipart/byteranges";
    let starts = |line: &HeaderValue| {
        line.as_bytes().get(..KIND.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(KIND))
    };
    fields.get_all(header::CONTENT_TYPE).into_iter().any(starts)
}

fn only(fields: &HeaderMap, name: header::HeaderName) -> Option<&HeaderValue> {
    let mut lines = fields.get_all(name).into_iter();
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}
