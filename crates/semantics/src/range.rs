//! Parts of a stored whole response: `Range`, `If-Range`, `Content-Range` and the framing of
//! `multipart/byteranges` (RFC 9110 sections 13.1.5, 14 and 15.3.7).
//!
//! Not here: parts that an origin sends.

mod multipart;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::etag::{Comparison, EntityTag};
use crate::validation::{Validators, parse_date};

pub use multipart::{Multipart, PartFrame};

/// Bytes of a body, from the first to the last, both of them in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    /// The place of the first.
    pub first: u64,
    /// The place of the last, never before the first.
    pub last: u64,
}

/// What a request wants of a stored body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranged {
    /// All of it: 200.
    Whole,
    /// Only what lies beyond its end: 416.
    Unsatisfiable,
    /// One part: 206 with `Content-Range`.
    One(ByteRange),
    /// Several parts that neither overlap nor touch: 206 with `multipart/byteranges`.
    Many(Vec<ByteRange>),
}

impl ByteRange {
    /// How many bytes it holds.
    pub const fn length(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// `bytes 0-4/10`, for a part of so many bytes.
    pub fn content_range(self, total: u64) -> HeaderValue {
        value(&format!("bytes {}-{}/{total}", self.first, self.last))
    }
}

/// `bytes */10`: what a 416 says of a body of so many bytes (RFC 9110 section 14.4).
pub fn unsatisfied(total: u64) -> HeaderValue {
    value(&format!("bytes */{total}"))
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits and punctuation are a field value")
}

/// Removes `Range` and `If-Range` from a request that fetches for the cache.
pub fn remove(request: &mut HeaderMap) {
    request.remove(header::RANGE);
    request.remove(header::IF_RANGE);
}

/// Which part of a stored body of `total` bytes a request wants.
///
/// More than `ranges_max` ranges, a unit that is not `bytes`, and a list that is not well formed
/// all mean the whole (RFC 9110 section 14.2 allows and CVE-2018-8005 demands it). Ranges that
/// overlap or touch are merged, and all are then in ascending order; otherwise they stay in the
/// order that the client wants. So no answer holds a byte of the body twice.
pub fn wanted(
    method: &Method,
    status: StatusCode,
    request: &HeaderMap,
    stored: &Validators<'_>,
    total: u64,
    ranges_max: usize,
) -> Ranged {
    if method != Method::GET || status != StatusCode::OK {
        return Ranged::Whole;
    }
    let mut lines = request.get_all(header::RANGE).into_iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Ranged::Whole };
    let Some(asked) = parse(line.as_bytes(), ranges_max) else { return Ranged::Whole };
    if !holds_if_range(request, stored) {
        return Ranged::Whole;
    }
    select(&asked, total)
}

/// One range as it is asked for, before the length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// From one place to another, or to the end.
    From(u64, Option<u64>),
    /// The last so many bytes.
    Suffix(u64),
}

fn parse(line: &[u8], ranges_max: usize) -> Option<Vec<Asked>> {
    let equals = line.iter().position(|&byte| byte == b'=')?;
    if !line[..equals].trim_ascii().eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    let mut asked = Vec::new();
    let members = line[equals + 1..].split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    // Empty members of a list are allowed (RFC 9110 section 5.6.1).
    for member in members.filter(|member| !member.is_empty()) {
        if asked.len() == ranges_max {
            return None;
        }
        asked.push(parse_one(member)?);
    }
    (!asked.is_empty()).then_some(asked)
}

fn parse_one(member: &[u8]) -> Option<Asked> {
    let dash = member.iter().position(|&byte| byte == b'-')?;
    match (&member[..dash], &member[dash + 1..]) {
        ([], length) => Some(Asked::Suffix(number(length)?)),
        (first, []) => Some(Asked::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::From(first, Some(last)))
        }
    }
}

/// Reads digits and nothing else. A number beyond all bodies is the greatest one.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}

fn select(asked: &[Asked], total: u64) -> Ranged {
    // No `Content-Range` can name a part of nothing, yet the end of nothing is satisfiable.
    if total == 0 && asked.iter().any(|asked| matches!(asked, Asked::Suffix(1..))) {
        return Ranged::Whole;
    }
    let parts: Vec<ByteRange> = asked.iter().filter_map(|asked| place(*asked, total)).collect();
    let mut parts = merge(parts);
    match parts.len() {
        0 => Ranged::Unsatisfiable,
        1 => Ranged::One(parts.remove(0)),
        _ => Ranged::Many(parts),
    }
}

/// Where a range lies in a body; `None` where it is not satisfiable (RFC 9110 section 14.1.2).
fn place(asked: Asked, total: u64) -> Option<ByteRange> {
    let end = total.checked_sub(1)?;
    match asked {
        Asked::Suffix(0) => None,
        Asked::Suffix(length) => Some(ByteRange { first: total.saturating_sub(length), last: end }),
        Asked::From(first, _) if first > end => None,
        Asked::From(first, last) => Some(ByteRange { first, last: last.unwrap_or(end).min(end) }),
    }
}

fn merge(parts: Vec<ByteRange>) -> Vec<ByteRange> {
    let mut sorted = parts.clone();
    sorted.sort_unstable();
    let mut merged: Vec<ByteRange> = Vec::with_capacity(sorted.len());
    for part in sorted {
        match merged.last_mut() {
            Some(before) if part.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(part.last);
            }
            Some(_) | None => merged.push(part),
        }
    }
    if merged.len() == parts.len() { parts } else { merged }
}

/// `If-Range`: only a strong validator that is exactly the same joins parts to what the client
/// already has (RFC 9110 section 13.1.5). Absent, it holds.
fn holds_if_range(request: &HeaderMap, stored: &Validators<'_>) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).into_iter();
    let Some(line) = lines.next() else { return true };
    if lines.next().is_some() {
        return false;
    }
    let value = line.as_bytes();
    if let Some(date) = parse_date(value) {
        return stored.modified_strongly() == Some(date);
    }
    match (EntityTag::parse(value), stored.tag()) {
        (Some(tag), Some(own)) => own.matches(tag, Comparison::Strong),
        (None, _) | (_, None) => false,
    }
}
