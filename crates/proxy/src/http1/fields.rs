//! Field lines: `name: value CRLF`, nothing else (9112 5).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Fault, FaultKind};

/// Reads field lines up to the empty one. The block was scanned: every line ends with CRLF.
pub(crate) fn parse(block: &Bytes, lines: usize) -> Result<HeaderMap, Fault> {
    let mut fields = HeaderMap::try_with_capacity(lines).map_err(|_| too_many())?;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', block) {
        let line = start..end.saturating_sub(1);
        if line.is_empty() {
            break;
        }
        let (name, value) = parse_line(block, line)?;
        fields.try_append(name, value).map_err(|_| too_many())?;
        start = end + 1;
    }
    Ok(fields)
}

fn parse_line(
    block: &Bytes,
    line: std::ops::Range<usize>,
) -> Result<(HeaderName, HeaderValue), Fault> {
    let text = &block[line.clone()];
    if matches!(text.first(), Some(b' ' | b'\t')) {
        return Err(Fault::syntax("a field line is folded"));
    }
    // Names are short: a search in wide steps takes longer to begin than this to end.
    let Some(colon) = text.iter().position(|byte| *byte == b':') else {
        return Err(Fault::syntax("a field line has no colon"));
    };
    let name = HeaderName::from_bytes(&text[..colon])
        .map_err(|_| Fault::syntax("a field name is not a token followed by a colon"))?;
    let value = trim_start(&text[colon + 1..]);
    let begin = line.end - value.len();
    let value = HeaderValue::from_maybe_shared(block.slice(begin..begin + trim_end(value).len()))
        .map_err(|_| Fault::syntax("a field value contains a control byte"))?;
    Ok((name, value))
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The members of a comma-separated field, all of its lines together (9110 5.6.1).
pub(crate) fn members<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|member| trim_end(trim_start(member)))
        .filter(|member| !member.is_empty())
}

/// Whether a comma-separated field names this member, letter case aside.
pub(crate) fn is_listed(fields: &HeaderMap, name: &HeaderName, member: &[u8]) -> bool {
    members(fields, name).any(|listed| listed.eq_ignore_ascii_case(member))
}

fn too_many() -> Fault {
    Fault::new(FaultKind::BlockTooLarge, "too many fields")
}
