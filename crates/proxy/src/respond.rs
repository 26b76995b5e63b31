//! Answers to clients: from a stored response, from one that is passed on, and our own.
//!
//! The client's own conditions and ranges are met here (RFC 9110 sections 13 and 14).

use bytes::{Bytes, BytesMut};
use forebay_cache::mechanism::{Body, Reader};
use forebay_semantics::fields::{Sought, is_never_stored, named_by_connection};
use forebay_semantics::range::{self, ByteRange, Multipart, Ranged};
use forebay_semantics::status::{CacheStatus, Source};
use forebay_semantics::validation::{self, Outcome, Validators};
use forebay_semantics::{Stored, Timestamp};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::answer::{Answer, AnswerBody};
use crate::ask::{Ask, Refusal};
use crate::config::Switch;
use crate::failure::FetchFailure;
use crate::forward;
use crate::gateway::Gateway;
use crate::kept::{KeptEntry, KeptResponse};
use crate::server::InformationalSender;
use crate::stream;
use crate::upstream::{Informational, OriginBody};

/// Bytes of a multipart answer that are put together in memory; a longer one is the whole instead.
const MULTIPART_BYTES_MAX: u64 = 8 << 20;

/// Why an entry gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The client's condition rules out what is stored; only its origin may say so (412).
    Unwanted,
    /// The body has broken, or is passing through and its begin has gone by.
    BodyGone,
}

/// Answers from an entry, whose body may still be arriving.
pub fn from_entry(
    ask: &Ask,
    entry: &KeptEntry,
    response: &KeptResponse,
) -> Result<Answer, Unanswered> {
    let stored = &response.stored;
    if !asks_for_less(ask) {
        return whole(ask, stored, entry.body());
    }
    let validators = validators(stored);
    match validation::evaluate(&ask.method, stored.status(), &ask.fields, &validators) {
        Outcome::NotModified => return Ok(not_modified(stored, &validators)),
        Outcome::PreconditionFailed => return Err(Unanswered::Unwanted),
        Outcome::Proceed => {}
    }
    let Some((wanted, total)) = ranged(ask, stored, &validators, entry.body()) else {
        return whole(ask, stored, entry.body());
    };
    match wanted {
        Ranged::Whole => whole(ask, stored, entry.body()),
        Ranged::Unsatisfiable => Ok(unsatisfiable(total)),
        Ranged::One(range) => one_range(stored, entry.body(), range, total),
        Ranged::Many(ranges) => many_ranges(ask, stored, entry.body(), &ranges, total),
    }
}

/// Whether a condition or a range may make the answer anything but the whole.
fn asks_for_less(ask: &Ask) -> bool {
    let present = ask.asked.present;
    present.has(Sought::Range) || present.has(Sought::Condition)
}

/// The validators of a stored response.
pub fn validators(stored: &Stored) -> Validators<'_> {
    let date = stored.fields().first("date").and_then(forebay_semantics::date::parse_http_date);
    Validators {
        etag: stored.etag(),
        last_modified: stored.last_modified(),
        date: Some(date.unwrap_or(stored.received_at())),
    }
}

/// The answer for a client whose condition failed on what its origin has just said (412).
pub fn precondition_failed() -> Answer {
    own(StatusCode::PRECONDITION_FAILED, "the precondition of the request does not hold")
}

/// Which part is wanted, and the length of the whole. Without a length nothing can be said of a
/// part; the whole answers as well.
fn ranged(
    ask: &Ask,
    stored: &Stored,
    validators: &Validators<'_>,
    body: &Body,
) -> Option<(Ranged, u64)> {
    if !ask.fields.contains_key(header::RANGE) {
        return None;
    }
    let (total, max) = (body.len_known()?, ask.lane.route.ranges_max);
    let status = stored.status();
    Some((range::wanted(&ask.method, status, &ask.fields, validators, total, max), total))
}

fn whole(ask: &Ask, stored: &Stored, body: &Body) -> Result<Answer, Unanswered> {
    let answer_body = body_of(ask, body).ok_or(Unanswered::BodyGone)?;
    let prepared = stored.fields().as_bytes().clone();
    Ok(answer(stored.status(), prepared, HeaderMap::new(), answer_body))
}

/// What a request gets of a whole body; `None` if its begin has gone.
pub(crate) fn body_of(ask: &Ask, body: &Body) -> Option<AnswerBody> {
    match ask.method == Method::HEAD {
        true => Some(AnswerBody::Sized(body.len_known())),
        false => all_of(body),
    }
}

/// All of a body, as it is there or as it arrives; `None` if its begin has gone.
fn all_of(body: &Body) -> Option<AnswerBody> {
    let Some(whole) = body.as_whole() else {
        return Some(stream::arriving(body.reader()?, body.len_known()));
    };
    match (whole.as_bytes(), whole.trailer()) {
        (Some(bytes), None) => Some(AnswerBody::Whole(bytes.clone())),
        (Some(_) | None, _) => Some(stream::whole(whole)),
    }
}

fn one_range(
    stored: &Stored,
    body: &Body,
    range: ByteRange,
    total: u64,
) -> Result<Answer, Unanswered> {
    let frames = part_of(body, range).ok_or(Unanswered::BodyGone)?;
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_RANGE, range.content_range(total));
    let prepared = stored.fields().as_bytes().clone();
    Ok(answer(StatusCode::PARTIAL_CONTENT, prepared, fields, frames))
}

fn part_of(body: &Body, range: ByteRange) -> Option<AnswerBody> {
    let bytes = range.first..range.last.saturating_add(1);
    match body.as_whole() {
        Some(whole) => Some(stream::slices(whole.slices(bytes).collect(), range.length())),
        None => Some(stream::arriving(body.reader_of(bytes)?, Some(range.length()))),
    }
}

fn many_ranges(
    ask: &Ask,
    stored: &Stored,
    body: &Body,
    ranges: &[ByteRange],
    total: u64,
) -> Result<Answer, Unanswered> {
    let boundary = format!("{:032x}", rand::random::<u128>());
    let content_type = stored.fields().first("content-type");
    let framed = Multipart::new(&boundary, content_type, ranges, total);
    let (Some(framed), Some(held)) = (framed, body.as_whole()) else {
        return whole(ask, stored, body);
    };
    if framed.length() > MULTIPART_BYTES_MAX {
        return whole(ask, stored, body);
    }
    let mut slices = Vec::new();
    for part in &framed.parts {
        slices.push(part.head.clone());
        slices.extend(held.slices(part.range.first..part.range.last.saturating_add(1)));
    }
    slices.push(framed.end.clone());
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, framed.content_type.clone());
    let frames = stream::slices(slices, framed.length());
    let prepared = without(stored, |name| name == "content-type");
    Ok(answer(StatusCode::PARTIAL_CONTENT, prepared, fields, frames))
}

fn unsatisfiable(total: u64) -> Answer {
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let mut refused = own(status, "no byte of the ranges that were asked for is there");
    refused.fields.insert(header::CONTENT_RANGE, range::unsatisfied(total));
    refused
}

fn not_modified(stored: &Stored, validators: &Validators<'_>) -> Answer {
    let prepared = without(stored, |name| !validation::goes_on_304(name.as_bytes(), validators));
    answer(StatusCode::NOT_MODIFIED, prepared, HeaderMap::new(), AnswerBody::None)
}

fn without(stored: &Stored, drops: impl Fn(&str) -> bool) -> Bytes {
    let mut lines = BytesMut::with_capacity(stored.fields().len());
    for (name, value) in stored.fields().iter().filter(|(name, _)| !drops(name)) {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines.freeze()
}

fn answer(status: StatusCode, prepared: Bytes, fields: HeaderMap, body: AnswerBody) -> Answer {
    Answer { status, prepared: [prepared, Bytes::new()], fields, body, tunnel: None }
}

/// Passes an origin's response on as it comes.
pub fn passed_on(ask: &Ask, response: Response<OriginBody>) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut fields = head.headers;
    let length = content_length(&fields);
    let policy = &ask.lane.route.policy;
    remove_hop_by_hop_and(&mut fields, |name| policy.strips(name));
    let bodiless = head.status == StatusCode::NO_CONTENT || head.status == StatusCode::NOT_MODIFIED;
    let body = if bodiless {
        AnswerBody::None
    } else if ask.method == Method::HEAD {
        AnswerBody::Sized(length)
    } else if let Some(bytes) = body.take_whole() {
        AnswerBody::Whole(bytes)
    } else {
        let length = body.size_hint().exact();
        AnswerBody::Stream { length, frames: body.map_err(Into::into).boxed_unsync() }
    };
    answer(head.status, Bytes::new(), fields, body)
}

fn content_length(fields: &HeaderMap) -> Option<u64> {
    fields.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Takes away what belongs to the connection to the origin (RFC 9110 section 7.6.1). A length may stay:
/// the server says its own.
pub fn remove_hop_by_hop(fields: &mut HeaderMap) {
    remove_hop_by_hop_and(fields, |_| false);
}

/// The same, and what only caches are to see.
fn remove_hop_by_hop_and(fields: &mut HeaderMap, is_for_caches: impl Fn(&HeaderName) -> bool) {
    static PASSING: [HeaderName; 3] = [header::AGE, header::TRAILER, header::CONTENT_LENGTH];
    let named = named_by_connection(fields);
    let gone = |name: &&HeaderName| {
        (is_never_stored(name) && !PASSING.contains(name))
            || named.contains(name)
            || is_for_caches(name)
    };
    let names: Vec<_> = fields.keys().filter(gone).cloned().collect();
    for name in names {
        fields.remove(name);
    }
}

/// Sends an origin's interim responses (RFC 9110 section 15.2) on to the client.
pub fn interim_to(client: InformationalSender) -> Informational {
    Box::new(move |status, mut fields| {
        remove_hop_by_hop(&mut fields);
        client.send(status, &fields);
    })
}

/// An answer of our own: a status, and a line that says why.
pub fn own(status: StatusCode, words: &str) -> Answer {
    let mut fields = HeaderMap::with_capacity(4);
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let reason = status.canonical_reason().unwrap_or("");
    let text = format!("{} {reason}: {words}\n", status.as_u16());
    answer(status, Bytes::new(), fields, AnswerBody::Whole(Bytes::from(text)))
}

/// The answer to a request that is refused before anything is looked up.
pub fn refusal(refused: Refusal) -> Answer {
    let mut answer = own(refused.status, refused.words);
    // Every bound of ours is one that a moment may widen (RFC 9110 section 15.6.4).
    if refused.status == StatusCode::SERVICE_UNAVAILABLE {
        answer.fields.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// The answer when the origin gave none and nothing stored may stand in. Which member failed, and
/// how, is for the log and not for the client.
pub fn failure(failed: &FetchFailure) -> Answer {
    let mut answer = own(failed.status(), "the origin gave no answer");
    if failed.status().is_server_error() {
        let after = HeaderValue::from(failed.retry_after_seconds());
        answer.fields.insert(header::RETRY_AFTER, after);
    }
    answer
}

/// Adds what this gateway says of itself: `Age`, `Via`, `Cache-Status`, and the two old fields.
pub fn sign(
    gateway: &Gateway,
    ask: Option<&Ask>,
    answer: &mut Answer,
    said: &CacheStatus<'_>,
    age_seconds: Option<u64>,
) {
    let mut lines = Vec::with_capacity(160);
    if let Some(age) = age_seconds {
        line(&mut lines, b"age", itoa::Buffer::new().format(age).as_bytes());
    }
    lines.extend_from_slice(b"via: 1.1 ");
    lines.extend_from_slice(gateway.name().as_bytes());
    lines.extend_from_slice(b"\r\ncache-status: ");
    said.write(&mut lines);
    lines.extend_from_slice(b"\r\n");
    if let Some(ask) = ask {
        sign_by_route(ask, answer, said, &mut lines);
    }
    answer.prepared[1] = Bytes::from(lines);
}

fn sign_by_route(ask: &Ask, answer: &mut Answer, said: &CacheStatus<'_>, lines: &mut Vec<u8>) {
    let route = &ask.lane.route;
    if route.x_cache == Switch::On {
        line(lines, b"x-cache", said.x_cache().as_bytes());
        line(lines, b"x-store", said.x_store().as_bytes());
    }
    let changes = &route.response_fields;
    if changes.is_empty() {
        return;
    }
    let prepared = std::mem::take(&mut answer.prepared[0]);
    let mut fields = stream::fields_of(&prepared);
    fields.extend(std::mem::take(&mut answer.fields));
    forward::change(&mut fields, changes);
    answer.fields = fields;
}

fn line(lines: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        lines.extend_from_slice(part);
    }
}

/// The age that an answer from a stored response says (RFC 9111 section 5.1). A response that
/// comes straight from its origin has none: the field would say that it does not.
pub fn age_said(kept: &KeptResponse, said: &CacheStatus<'_>, now: Timestamp) -> Option<u64> {
    let age = kept.stored.age(now).as_secs();
    let from_cache = match said.source {
        Source::Hit => true,
        Source::Forward(_) => said.collapsed || said.fwd_status == Some(StatusCode::NOT_MODIFIED),
        Source::Own => false,
    };
    // The age of a response counts the time that its fetch took; what is beyond that, a cache
    // nearer the origin has said.
    let said_upstream = age > kept.fetch_duration.as_secs().saturating_add(1);
    (from_cache || said_upstream).then_some(age)
}

/// A reader that keeps a body that passes through from ending before its first client reads it.
pub type Hold = Option<Reader>;
