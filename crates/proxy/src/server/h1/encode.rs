//! Heads of answers in wire form, and how their bodies end (9112 4, 6.3, 7.1).

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderName, StatusCode, Version};
use http_body_util::combinators::UnsyncBoxBody;

use super::super::date::append_date;
use super::super::refusal::Refusal;
use super::head::Asked;
use crate::answer::{Answer, AnswerBody, BodyError};
use crate::http1::append_field;

/// The body of an answer as it goes over the wire.
pub(super) enum Outgoing {
    /// Nothing follows the head, which says this length or none.
    Nothing(Option<u64>),
    /// All of it.
    Whole(Bytes),
    /// It arrives.
    Stream { frames: UnsyncBoxBody<Bytes, BodyError>, ending: Ending },
}

/// How the end of a streamed body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By its length.
    Counted(u64),
    /// By the last chunk.
    Chunked,
    /// By the end of the connection (HTTP/1.0).
    Close,
}

/// Whether the connection goes on behind an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    Keep,
    Close,
}

/// Decides how the body goes out; `None` for an answer that no client could read.
pub(super) fn outgoing(status: StatusCode, body: AnswerBody, asked: Asked) -> Option<Outgoing> {
    if status.is_informational() {
        return None;
    }
    if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Some(Outgoing::Nothing(None));
    }
    let outgoing = match body {
        AnswerBody::Sized(length) if asked.head_only => Outgoing::Nothing(length),
        AnswerBody::None if asked.head_only => Outgoing::Nothing(None),
        AnswerBody::Whole(bytes) if asked.head_only => Outgoing::Nothing(Some(bytes.len() as u64)),
        AnswerBody::Stream { length, .. } if asked.head_only => Outgoing::Nothing(length),
        AnswerBody::None | AnswerBody::Sized(None | Some(0)) => Outgoing::Nothing(Some(0)),
        AnswerBody::Sized(Some(_)) => return None,
        AnswerBody::Whole(bytes) => Outgoing::Whole(bytes),
        AnswerBody::Stream { length, frames } => {
            Outgoing::Stream { frames, ending: ending(length, asked) }
        }
    };
    Some(outgoing)
}

fn ending(length: Option<u64>, asked: Asked) -> Ending {
    match length {
        Some(length) => Ending::Counted(length),
        None if asked.version == Version::HTTP_10 => Ending::Close,
        None => Ending::Chunked,
    }
}

/// Appends the head of a final answer. The fields of the answer are not trusted with framing.
pub(super) fn append_head(
    out: &mut Vec<u8>,
    answer: &Answer,
    outgoing: &Outgoing,
    asked: Asked,
    persistence: Persistence,
) {
    append_status(out, answer.status);
    for block in &answer.prepared {
        out.extend_from_slice(block);
    }
    let trailers =
        asked.trailers && matches!(outgoing, Outgoing::Stream { ending: Ending::Chunked, .. });
    let mut has_date = answer.prepared.iter().any(|block| block_has_date(block));
    for (name, value) in &answer.fields {
        has_date |= *name == DATE;
        if !is_servers_own(name) && (*name != TRAILER || trailers) {
            append_field(out, name, value.as_bytes());
        }
    }
    if !has_date {
        append_date(out);
    }
    match outgoing {
        Outgoing::Nothing(None) => {}
        Outgoing::Nothing(Some(length)) => append_length(out, *length),
        Outgoing::Whole(bytes) => append_length(out, bytes.len() as u64),
        Outgoing::Stream { ending: Ending::Counted(length), .. } => append_length(out, *length),
        Outgoing::Stream { ending: Ending::Chunked, .. } => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        Outgoing::Stream { ending: Ending::Close, .. } => {}
    }
    append_persistence(out, asked, persistence);
    out.extend_from_slice(b"\r\n");
}

/// Says what differs from the version's default (9112 9.3).
fn append_persistence(out: &mut Vec<u8>, asked: Asked, persistence: Persistence) {
    match persistence {
        Persistence::Close => out.extend_from_slice(b"connection: close\r\n"),
        Persistence::Keep if asked.version == Version::HTTP_10 => {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        Persistence::Keep => {}
    }
}

/// Appends an interim head.
pub(super) fn append_interim_head(out: &mut Vec<u8>, status: StatusCode, fields: &HeaderMap) {
    append_status(out, status);
    for (name, value) in fields.iter().filter(|(name, _)| !is_servers_own(name)) {
        append_field(out, name, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the head of a 101 (9110 7.8): the one answer that may name its protocol.
pub(super) fn append_upgrade_head(out: &mut Vec<u8>, answer: &Answer) {
    append_status(out, answer.status);
    for block in &answer.prepared {
        out.extend_from_slice(block);
    }
    for (name, value) in &answer.fields {
        if !is_servers_own(name) || name == UPGRADE {
            append_field(out, name, value.as_bytes());
        }
    }
    out.extend_from_slice(b"connection: upgrade\r\n\r\n");
}

/// Appends a refusal, head and body.
pub(super) fn append_refusal(out: &mut Vec<u8>, refusal: Refusal) {
    append_status(out, refusal.status);
    append_date(out);
    out.extend_from_slice(
        b"content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n",
    );
    append_length(out, refusal.text.len() as u64 + 1);
    out.extend_from_slice(b"connection: close\r\n\r\n");
    out.extend_from_slice(refusal.text.as_bytes());
    out.push(b'\n');
}

/// Appends the last chunk and the trailers.
pub(super) fn append_last_chunk(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.iter().filter(|(name, _)| !is_servers_own(name)) {
        append_field(out, name, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn append_status(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn append_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Framing and hop-by-hop fields: the server writes them itself or not at all (9110 7.6.1).
pub(in super::super) fn is_servers_own(name: &HeaderName) -> bool {
    *name == CONTENT_LENGTH
        || matches!(
            name.as_str(),
            "connection"
                | "transfer-encoding"
                | "keep-alive"
                | "proxy-connection"
                | "te"
                | "upgrade"
        )
}

fn block_has_date(block: &[u8]) -> bool {
    let is_date = |start: usize| {
        block.get(start..start + 5).is_some_and(|name| name.eq_ignore_ascii_case(b"date:"))
    };
    is_date(0) || memchr::memchr_iter(b'\n', block).any(|end| is_date(end + 1))
}
