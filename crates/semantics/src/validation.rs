//! "Is it still good?": the client's own conditions (RFC 9110 section 13), how to ask the origin,
//! and what its answer means (RFC 9111 section 4.3).
//!
//! Not here: what a 304 changes in a stored head, and ranges.

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::Timestamp;
use crate::etag::{self, Comparison, EntityTag, Strength};

/// Entity tags in one `If-None-Match` of ours; the chosen variant's first, the rest left out.
pub const TAGS_MAX: usize = 16;
/// Bytes of one `If-None-Match` of ours; a tag that no longer fits is left out.
pub const TAG_BYTES_MAX: usize = 4096;

/// What a response says of its own identity, as its fields have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validators<'a> {
    /// The value of `ETag`.
    pub etag: Option<&'a [u8]>,
    /// The value of `Last-Modified`.
    pub last_modified: Option<&'a [u8]>,
    /// `Date`, or where there is none, when the response was received.
    pub date: Option<Timestamp>,
}

/// What a client's conditions make of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// They ask for it.
    Proceed,
    /// The client has it already: 304.
    NotModified,
    /// The client does not want this one: 412. Only the origin may say so (RFC 9111 section 4.3.2),
    /// so a stored response that was not validated for this very request is validated first.
    PreconditionFailed,
}

/// What the origin's answer to our condition means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These stored responses are still good, by their places in what was asked about; the first
    /// answers the request. Never empty.
    Freshen(Vec<usize>),
    /// The answer takes the place of what is stored.
    Replace,
    /// The origin failed: a stale response may do in its place.
    Failed,
    /// A 304 that means nothing that is stored: for a client that asked a condition of its own it
    /// is the answer, otherwise the request goes again without a condition.
    PassOn304,
}

/// A condition on a request to the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    if_none_match: Option<HeaderValue>,
    if_modified_since: Option<HeaderValue>,
}

impl<'a> Validators<'a> {
    /// Those of a response with these fields, received at this moment.
    pub fn of(fields: &'a HeaderMap, received: Timestamp) -> Self {
        let value = |name| only_line(fields, &name).map(HeaderValue::as_bytes);
        Validators {
            etag: value(header::ETAG),
            last_modified: value(header::LAST_MODIFIED),
            date: Some(value(header::DATE).and_then(parse_date).unwrap_or(received)),
        }
    }

    /// Its entity tag.
    pub fn tag(&self) -> Option<EntityTag<'a>> {
        self.etag.and_then(EntityTag::parse)
    }

    /// When it was last modified.
    pub fn modified(&self) -> Option<Timestamp> {
        self.last_modified.and_then(parse_date)
    }

    /// Whether there is nothing to validate it by.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// When it was last modified, where that moment vouches for every byte: it lies at least one
    /// second before the response was made (RFC 9110 section 8.8.2.2).
    pub fn modified_strongly(&self) -> Option<Timestamp> {
        let modified = self.modified()?;
        (self.date?.since(modified).as_secs() >= 1).then_some(modified)
    }
}

/// What the client's own conditions make of a response that could answer it, in the order of RFC
/// 9110 section 13.2.2. `If-Range` is `range`'s.
pub fn evaluate(
    method: &Method,
    status: StatusCode,
    request: &HeaderMap,
    stored: &Validators<'_>,
) -> Outcome {
    // Conditions do not count where the answer would be no success (section 13.2.1).
    if !status.is_success() {
        return Outcome::Proceed;
    }
    if !is_wanted(request, stored) {
        return Outcome::PreconditionFailed;
    }
    let reads = method == Method::GET || method == Method::HEAD;
    if request.contains_key(header::IF_NONE_MATCH) {
        return match etag::lists(request, &header::IF_NONE_MATCH, stored.tag(), Comparison::Weak) {
            false => Outcome::Proceed,
            true if reads => Outcome::NotModified,
            true => Outcome::PreconditionFailed,
        };
    }
    if reads && is_unmodified(request, stored) {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// `If-Match`, and without it `If-Unmodified-Since` (RFC 9110 sections 13.1.1 and 13.1.4).
fn is_wanted(request: &HeaderMap, stored: &Validators<'_>) -> bool {
    if request.contains_key(header::IF_MATCH) {
        return etag::lists(request, &header::IF_MATCH, stored.tag(), Comparison::Strong);
    }
    let Some(limit) = date_of(request, &header::IF_UNMODIFIED_SINCE) else { return true };
    stored.modified().is_none_or(|modified| modified <= limit)
}

/// `If-Modified-Since` (RFC 9110 section 13.1.3). Where the response does not say when it was
/// modified, the moment it was made stands in (RFC 9111 section 4.3.2).
fn is_unmodified(request: &HeaderMap, stored: &Validators<'_>) -> bool {
    let Some(since) = date_of(request, &header::IF_MODIFIED_SINCE) else { return false };
    let modified = match stored.last_modified {
        Some(_) => stored.modified(),
        None => stored.date,
    };
    modified.is_some_and(|modified| modified <= since)
}

/// Whether a field of a stored response goes on a 304 (RFC 9110 section 15.4.5): all but what
/// describes the content that is not sent. Takes the name in any case.
pub fn goes_on_304(name: &[u8], stored: &Validators<'_>) -> bool {
    const CONTENT: &[u8] = b"content-";
    const ALWAYS: [&[u8]; 3] =
        [b"content-location", b"content-security-policy", b"content-security-policy-report-only"];
    const NEVER: [&[u8]; 5] =
        [b"digest", b"repr-digest", b"accept-ranges", b"trailer", b"transfer-encoding"];
    let is = |word: &[u8]| name.eq_ignore_ascii_case(word);
    if is(b"last-modified") {
        return stored.etag.is_none();
    }
    let is_content =
        name.get(..CONTENT.len()).is_some_and(|head| head.eq_ignore_ascii_case(CONTENT));
    ALWAYS.into_iter().any(is) || !(is_content || NEVER.into_iter().any(is))
}

/// Removes the client's own conditions from a request that fetches for the cache. `Range` and
/// `If-Range` are `range::remove`'s.
pub fn remove_conditions(request: &mut HeaderMap) {
    request.remove(header::IF_MATCH);
    request.remove(header::IF_NONE_MATCH);
    request.remove(header::IF_MODIFIED_SINCE);
    request.remove(header::IF_UNMODIFIED_SINCE);
}

/// How to ask the origin whether what is stored is still good (RFC 9111 section 4.3.1).
///
/// `chosen` is the variant that fits the request, if one does; `others` are the tags of the rest.
/// `None` where nothing stored has a validator.
pub fn ask<'a>(
    chosen: Option<&Validators<'a>>,
    others: impl IntoIterator<Item = &'a [u8]>,
) -> Option<Condition> {
    let own = chosen.and_then(|chosen| chosen.etag);
    let if_none_match = tag_list(own.into_iter().chain(others));
    let if_modified_since = chosen
        .filter(|chosen| chosen.modified().is_some())
        .and_then(|chosen| HeaderValue::from_bytes(chosen.last_modified?).ok());
    if if_none_match.is_none() && if_modified_since.is_none() {
        return None;
    }
    Some(Condition { if_none_match, if_modified_since })
}

/// Joins tags as they were received, each once, as many as the bounds allow.
fn tag_list<'a>(tags: impl Iterator<Item = &'a [u8]>) -> Option<HeaderValue> {
    let mut taken: Vec<&[u8]> = Vec::new();
    let mut list = Vec::new();
    for tag in tags {
        let fits = taken.len() < TAGS_MAX && list.len() + 2 + tag.len() <= TAG_BYTES_MAX;
        let sendable = EntityTag::parse(tag).is_some() && HeaderValue::from_bytes(tag).is_ok();
        if !fits || !sendable || taken.contains(&tag) {
            continue;
        }
        taken.push(tag);
        list.extend_from_slice(if list.is_empty() { b"" } else { b", " });
        list.extend_from_slice(tag);
    }
    HeaderValue::from_bytes(&list).ok().filter(|value| !value.is_empty())
}

impl Condition {
    /// Puts the condition on a request, in place of any other.
    pub fn apply(self, request: &mut HeaderMap) {
        remove_conditions(request);
        if let Some(value) = self.if_none_match {
            request.insert(header::IF_NONE_MATCH, value);
        }
        if let Some(value) = self.if_modified_since {
            request.insert(header::IF_MODIFIED_SINCE, value);
        }
    }
}

/// What the origin's answer means for the stored responses that it was asked about (RFC 9111
/// section 4.3.3); `chosen` is the place of the one that fits the request.
pub fn verdict(
    status: StatusCode,
    answer: &Validators<'_>,
    asked: &[Validators<'_>],
    chosen: Option<usize>,
) -> Verdict {
    if status.is_server_error() {
        return Verdict::Failed;
    }
    if status != StatusCode::NOT_MODIFIED {
        return Verdict::Replace;
    }
    let found = still_good(answer, asked, chosen);
    if found.is_empty() { Verdict::PassOn304 } else { Verdict::Freshen(found) }
}

/// Which stored responses a 304 means (RFC 9111 section 4.3.4).
fn still_good(
    answer: &Validators<'_>,
    asked: &[Validators<'_>],
    chosen: Option<usize>,
) -> Vec<usize> {
    match (answer.tag(), answer.modified()) {
        (Some(tag), _) if tag.strength == Strength::Strong => {
            places(asked, chosen, |stored| has_tag(stored, tag, Comparison::Strong))
        }
        (Some(tag), _) => {
            newest(asked, places(asked, chosen, |stored| has_tag(stored, tag, Comparison::Weak)))
        }
        (None, Some(modified)) => {
            let same = |stored: &Validators<'_>| stored.modified() == Some(modified);
            newest(asked, places(asked, chosen, same))
        }
        // A 304 without any validator, after a condition with the validators of one response, can
        // mean that response alone, although the RFC asks that this one lack a validator too.
        (None, None) if answer.is_empty() && asked.len() == 1 => vec![0],
        (None, None) => Vec::new(),
    }
}

fn has_tag(stored: &Validators<'_>, tag: EntityTag<'_>, comparison: Comparison) -> bool {
    stored.tag().is_some_and(|own| own.matches(tag, comparison))
}

/// The places of those that fit, the chosen one first.
fn places(
    asked: &[Validators<'_>],
    chosen: Option<usize>,
    fits: impl Fn(&Validators<'_>) -> bool,
) -> Vec<usize> {
    let mut places: Vec<usize> = (0..asked.len()).filter(|&place| fits(&asked[place])).collect();
    places.sort_by_key(|&place| Some(place) != chosen);
    places
}

/// Only the most recent of these places; the earlier one where two are as recent.
fn newest(asked: &[Validators<'_>], places: Vec<usize>) -> Vec<usize> {
    let newest = places.into_iter().rev().max_by_key(|&place| asked[place].date);
    newest.into_iter().collect()
}

/// The only line of a field: several have no one meaning.
fn only_line<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = fields.get_all(name).into_iter();
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}

fn date_of(fields: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    only_line(fields, name).and_then(|line| parse_date(line.as_bytes()))
}

/// Reads a date in any of HTTP's three forms (RFC 9110 section 5.6.7).
pub(crate) fn parse_date(value: &[u8]) -> Option<Timestamp> {
    let text = str::from_utf8(value).ok()?;
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::EPOCH.saturating_add(since_epoch))
}
