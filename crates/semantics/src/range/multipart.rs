//! The framing of `multipart/byteranges` (RFC 9110 section 14.6, RFC 2046 section 5.1).

use bytes::Bytes;
use http::HeaderValue;

use super::ByteRange;

/// A body of several parts: what stands before each, and after the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multipart {
    /// The parts in their order.
    pub parts: Vec<PartFrame>,
    /// What stands after the last part's bytes.
    pub end: Bytes,
    /// The value of `Content-Type`.
    pub content_type: HeaderValue,
}

/// One part: what stands before it, and which bytes of the body it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFrame {
    /// What stands before its bytes.
    pub head: Bytes,
    /// Its bytes.
    pub range: ByteRange,
}

impl Multipart {
    /// Frames these parts of a body of `total` bytes and this `Content-Type`.
    ///
    /// The caller draws the boundary, 1 to 70 letters and digits, and so that it is not in the
    /// body; `None` where it is anything else.
    pub fn new(
        boundary: &str,
        content_type: Option<&[u8]>,
        ranges: &[ByteRange],
        total: u64,
    ) -> Option<Self> {
        let plain = boundary.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || !(1..=70).contains(&boundary.len()) {
            return None;
        }
        let frame = |(place, &range): (usize, &ByteRange)| {
            let before = if place == 0 { "" } else { "\r\n" };
            PartFrame { head: head(before, boundary, content_type, range, total), range }
        };
        let content_type = format!("multipart/byteranges; boundary={boundary}");
        Some(Multipart {
            parts: ranges.iter().enumerate().map(frame).collect(),
            end: format!("\r\n--{boundary}--\r\n").into(),
            content_type: HeaderValue::from_str(&content_type).ok()?,
        })
    }

    /// The bytes of all of it, for `Content-Length`.
    pub fn length(&self) -> u64 {
        let part = |part: &PartFrame| (part.head.len() as u64).saturating_add(part.range.length());
        self.parts.iter().map(part).fold(self.end.len() as u64, u64::saturating_add)
    }
}

fn head(
    before: &str,
    boundary: &str,
    content_type: Option<&[u8]>,
    range: ByteRange,
    total: u64,
) -> Bytes {
    let mut head = format!("{before}--{boundary}\r\n").into_bytes();
    // One that could end its own line is left out.
    if let Some(content_type) = content_type.filter(|it| HeaderValue::from_bytes(it).is_ok()) {
        head.extend_from_slice(b"Content-Type: ");
        head.extend_from_slice(content_type);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"Content-Range: ");
    head.extend_from_slice(range.content_range(total).as_bytes());
    head.extend_from_slice(b"\r\n\r\n");
    head.into()
}
