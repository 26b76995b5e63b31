//! A response head: from bytes to a checked head, and nothing in between (RFC 9112 sections 2 to 6).

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use super::FIELDS_MAX;
use crate::http1::{
    Block, BodyBounds, Bounds, Decoder, Fault, FaultKind, Padding, is_listed, members, parse_fields,
};

/// The beginning of every response that we read; one digit follows.
const VERSION: &[u8] = b"HTTP/1.";

/// A response head that was found sound.
pub(in super::super) struct ResponseHead {
    pub(in super::super) status: StatusCode,
    pub(in super::super) fields: HeaderMap,
    pub(in super::super) version: Version,
}

/// Whether the request was HEAD, whose response has no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum HeadOnly {
    Yes,
    No,
}

/// Whether the connection goes on behind a response, as far as its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    Keep,
    Close,
}

/// The bounds of a response head.
pub(super) fn bounds(head_bytes_max: usize) -> Bounds {
    Bounds {
        first_line_bytes_max: usize::MAX,
        bytes_max: head_bytes_max,
        lines_max: FIELDS_MAX + 1,
    }
}

/// Whether this may become a response head. What is something else is not waited for.
pub(super) fn may_begin(input: &[u8]) -> bool {
    let seen = input.len().min(VERSION.len());
    input[..seen] == VERSION[..seen]
}

/// Takes the scanned head off the input and reads it.
pub(super) fn parse(input: &mut BytesMut, block: Block) -> Result<ResponseHead, Fault> {
    let mut bytes = input.split_to(block.end).freeze();
    bytes.advance(block.start);
    let line_end = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |end| end + 1);
    let line = bytes.split_to(line_end);
    let (version, status) = status_line(&line)?;
    let fields = parse_fields(&bytes, block.lines.saturating_sub(1))?;
    Ok(ResponseHead { status, fields, version })
}

/// The reason is not looked at beyond its bytes: it says nothing that the status does not, and is
/// not passed on (RFC 9112 section 4). Its space may be missing with it.
fn status_line(line: &Bytes) -> Result<(Version, StatusCode), Fault> {
    let wrong = Fault::new(FaultKind::Syntax, "the status line is not a version and a status");
    let text = line.strip_suffix(b"\r\n").unwrap_or(line);
    let (version, rest) = match text.strip_prefix(VERSION) {
        Some([b'1', b' ', rest @ ..]) => (Version::HTTP_11, rest),
        Some([b'0', b' ', rest @ ..]) => (Version::HTTP_10, rest),
        Some(_) | None => return Err(wrong),
    };
    let (status, reason) = rest.split_at_checked(3).ok_or(wrong)?;
    let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
    if !(reason.is_empty() || reason[0] == b' ' && reason.iter().all(is_text)) {
        return Err(wrong);
    }
    Ok((version, StatusCode::from_bytes(status).map_err(|_| wrong)?))
}

impl ResponseHead {
    /// Where the body ends, and whether the connection goes on behind it (RFC 9112 section 6.3). A
    /// response to HEAD says what a GET would have got.
    pub(super) fn body(&mut self, head_only: HeadOnly) -> Result<(Decoder, Persistence), Fault> {
        let persistence = self.persistence();
        let is_coded = self.fields.contains_key(TRANSFER_ENCODING);
        let is_doubtful = is_coded && self.fields.remove(CONTENT_LENGTH).is_some();
        if head_only == HeadOnly::Yes || !has_body(self.status) {
            let persistence = if is_doubtful { Persistence::Close } else { persistence };
            return Ok((Decoder::counted(0), persistence));
        }
        if is_coded {
            self.check_coding()?;
            // Who says two lengths may mean either, and what follows may be the rest of this.
            let persistence = if is_doubtful { Persistence::Close } else { persistence };
            return Ok((Decoder::chunked(BODY_BOUNDS), persistence));
        }
        Ok(match self.length()? {
            Some(length) => (Decoder::counted(length), persistence),
            None => (Decoder::until_end(), Persistence::Close),
        })
    }

    fn persistence(&self) -> Persistence {
        let says = |option: &[u8]| is_listed(&self.fields, &CONNECTION, option);
        let goes_on = match self.version {
            Version::HTTP_11 => !says(b"close"),
            _ => says(b"keep-alive") && !says(b"close"),
        };
        if goes_on { Persistence::Keep } else { Persistence::Close }
    }

    /// Nobody asked for another coding than `chunked`, and taking another for the body itself
    /// would pass on something that is not the body.
    fn check_coding(&self) -> Result<(), Fault> {
        let refused = |text| Err(Fault::new(FaultKind::Framing, text));
        if self.version != Version::HTTP_11 {
            return refused("there is a Transfer-Encoding in HTTP/1.0");
        }
        let mut codings = members(&self.fields, &TRANSFER_ENCODING);
        match (codings.next(), codings.next()) {
            (Some(only), None) if only.eq_ignore_ascii_case(b"chunked") => Ok(()),
            _ => refused("the Transfer-Encoding is something else than chunked"),
        }
    }

    /// The one length that is said, be it more than once; then it is said once from here on.
    fn length(&mut self) -> Result<Option<u64>, Fault> {
        let mut lengths = self.fields.get_all(CONTENT_LENGTH).iter().flat_map(|line| {
            line.as_bytes().split(|byte| *byte == b',').map(|member| length(member.trim_ascii()))
        });
        let wrong = Fault::new(FaultKind::Framing, "the Content-Length is not one number");
        let Some(first) = lengths.next() else { return Ok(None) };
        let first = first.ok_or(wrong)?;
        let mut is_repeated = false;
        for other in lengths {
            if other != Some(first) {
                return Err(wrong);
            }
            is_repeated = true;
        }
        if is_repeated {
            self.fields.insert(CONTENT_LENGTH, HeaderValue::from(first));
        }
        Ok(Some(first))
    }
}

/// Bounds of a chunked body; how long it may be is not ours to say.
const BODY_BOUNDS: BodyBounds =
    BodyBounds { bytes_max: u64::MAX, trailer_lines_max: FIELDS_MAX, padding: Padding::Allowed };

fn has_body(status: StatusCode) -> bool {
    !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

fn length(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
