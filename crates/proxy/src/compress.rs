//! Compressed answers: what is kept is compressed once for each coding, and sent so to clients that
//! accept it (RFC 9110 sections 8.4 and 12.5.3).
//!
//! A coded form lies in the cache under a key of its own, bound to the content that it is a form of, and
//! is answered with the head of the response that has that content now. It is made behind an answer,
//! never in its way (`compressor`). Only what is kept for everybody is compressed: what is passed
//! through, or is one client's own, could be told from its compressed length (BREACH).

use bytes::{Bytes, BytesMut};
use forebay_cache::mechanism::Key;
use forebay_semantics::cache_control::CacheControl;
use forebay_semantics::coding::{self, Coding};
use forebay_semantics::fields::members;
use forebay_semantics::variants::Vary;
use forebay_semantics::{FieldBlock, Stored};
use http::{Method, StatusCode, header};

use crate::answer::{Answer, AnswerBody};
use crate::ask::Ask;
use crate::compressor::{Saving, Wanted};
use crate::config::Route;
use crate::gateway::Gateway;
use crate::kept::{self, KeptEntry, KeptResponse};
use crate::kept_codec;
use crate::respond::{self, Unanswered};

/// Answers from an entry, in a coding where the route and the client want one and it is there. Where it
/// is not, it is made behind.
pub fn from_entry(
    gateway: &Gateway,
    ask: &Ask,
    entry: &KeptEntry,
    response: &KeptResponse,
) -> Result<(Answer, Option<Saving>), Unanswered> {
    let answer = respond::from_entry(ask, entry, response)?;
    let route = &ask.lane.route;
    if route.compress.codings.is_empty() || !may_be_coded(route, &response.stored) {
        return Ok((answer, None));
    }
    Ok(in_form(gateway, ask, entry, response, answer))
}

/// In which form a request is answered from an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is stored.
    AsStored,
    /// In this coding.
    Coded(Coding),
    /// As it is stored; the form in this coding is made behind the answer.
    ToBeCoded(Coding),
}

/// In which form the whole of an entry would be sent now. Nothing is made.
pub fn form(gateway: &Gateway, ask: &Ask, entry: &KeptEntry, response: &KeptResponse) -> Form {
    let route = &ask.lane.route;
    if route.compress.codings.is_empty()
        || !may_be_coded(route, &response.stored)
        || ask.fields.contains_key(header::RANGE)
    {
        return Form::AsStored;
    }
    let coded = wanted(ask).and_then(|it| Some((it, form_key(gateway, ask, entry, response, it)?)));
    let Some((coding, key)) = coded else { return Form::AsStored };
    let found = gateway.cache().peek(key.as_bytes());
    match found.filter(|found| found.head().is_form_of(response)) {
        Some(found) if found.body().len_known() == Some(0) => Form::AsStored,
        Some(_) => Form::Coded(coding),
        None => Form::ToBeCoded(coding),
    }
}

/// Whether a stored response is ever sent in a coding, whoever asks.
fn may_be_coded(route: &Route, stored: &Stored) -> bool {
    let status = stored.status();
    let is_content = !matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
    );
    is_content
        && gets_smaller(route, stored.fields())
        && !forbids_transforming(route, stored.fields())
        // What fits no other request is not kept.
        && stored.vary() != Vary::Any
}

fn gets_smaller(route: &Route, fields: &FieldBlock) -> bool {
    if kept_codec::is_compressible(fields) {
        return true;
    }
    let types = &route.compress.types;
    !types.is_empty()
        && !kept_codec::is_coded(fields)
        && kept_codec::media_type(fields)
            .is_some_and(|kind| types.iter().any(|types| types.hold(&kind)))
}

/// RFC 9111 section 5.2.2.6; what a targeted field says of it counts as well.
fn forbids_transforming(route: &Route, fields: &FieldBlock) -> bool {
    let is_said = |name: &str| {
        let mut words = fields.all(name).flat_map(members);
        words.any(|word| word.eq_ignore_ascii_case(b"no-transform"))
    };
    is_said("cache-control")
        || route.policy.targeted_fields.iter().any(|name| is_said(name.as_str()))
}

/// The coding that this request is answered in, where there is one.
fn wanted(ask: &Ask) -> Option<Coding> {
    let chosen = coding::choose(&ask.fields, &ask.lane.route.compress.codings)?;
    // RFC 9111 section 5.2.1.6.
    let is_forbidden = ask.fields.contains_key(header::CACHE_CONTROL)
        && CacheControl::of_response(&ask.fields, &[]).no_transform;
    (!is_forbidden).then_some(chosen)
}

/// How the fields of an answer differ from those that are stored.
#[derive(Clone, Copy)]
enum Fields {
    /// Not.
    Stored,
    /// The client holds perhaps another form.
    Any,
    /// Its content is coded.
    Coded(Coding),
}

fn in_form(
    gateway: &Gateway,
    ask: &Ask,
    entry: &KeptEntry,
    response: &KeptResponse,
    mut answer: Answer,
) -> (Answer, Option<Saving>) {
    let stored = &response.stored;
    let wanted = wanted(ask);
    let mut form = Fields::Stored;
    let mut coded = None;
    if answer.status == StatusCode::NOT_MODIFIED {
        if wanted.is_some() && !coding::holds_stored_form(&ask.fields, stored.etag()) {
            form = Fields::Any;
        }
    } else if answer.status == stored.status() {
        // Ranges are of the stored form, and so is the whole for who asked for them.
        let wanted = wanted.filter(|_| !ask.fields.contains_key(header::RANGE));
        if let Some((body, found)) = wanted.and_then(|it| find(gateway, ask, entry, response, it)) {
            answer.body = body;
            form = Fields::Coded(found.coding);
            coded = Some(found);
        }
    } else if answer.status != StatusCode::PARTIAL_CONTENT {
        return (answer, None);
    }
    answer.prepared[0] = fields_in(form, &answer.prepared[0]);
    (answer, coded)
}

/// A coded form as a body, and what it saves; where there is none, it will be made.
fn find(
    gateway: &Gateway,
    ask: &Ask,
    entry: &KeptEntry,
    response: &KeptResponse,
    coding: Coding,
) -> Option<(AnswerBody, Saving)> {
    let key = form_key(gateway, ask, entry, response, coding)?;
    let found = gateway.cache().look_up_memory(key.as_bytes());
    let found = found.filter(|found| found.head().is_form_of(response));
    let Some(found) = found else {
        if ask.method == Method::GET {
            let wanted = Wanted { primary: &ask.key, source: entry, key, coding };
            let settings = &ask.lane.route.compress;
            gateway.storage().compressor.make(gateway.cache(), settings, wanted);
        }
        return None;
    };
    // It is not worth it.
    let coded_length = found.body().len_known().filter(|length| *length > 0)?;
    found.extend_keep(entry.keep_until());
    let body = respond::body_of(ask, found.body())?;
    let length = entry.body().len_known()?;
    let saving = Saving { coding, bytes: length.saturating_sub(coded_length) };
    if ask.method != Method::HEAD {
        gateway.storage().compressor.count_sent(saving);
    }
    Some((body, saving))
}

/// Where the form of an entry in this coding lies, if it has one.
fn form_key(
    gateway: &Gateway,
    ask: &Ask,
    entry: &KeptEntry,
    response: &KeptResponse,
    coding: Coding,
) -> Option<Key> {
    if entry.body().len_known().is_some_and(|length| length < ask.lane.route.compress.from_bytes) {
        return None;
    }
    let own = kept::own_key(gateway.cache(), &ask.key, &ask.fields, response)?;
    Some(kept::coded_key(own.as_bytes(), coding))
}

/// The fields of an answer in this form. That another request may get another form is said in each.
fn fields_in(form: Fields, stored: &Bytes) -> Bytes {
    let fields = FieldBlock::from_wire(stored.clone());
    let mut lines = BytesMut::with_capacity(stored.len() + 64);
    let mut line = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            lines.extend_from_slice(part);
        }
    };
    for (name, value) in fields.iter() {
        match form {
            Fields::Coded(_) if coding::is_about_bytes(name) => {}
            Fields::Coded(_) | Fields::Any if name == "etag" => {
                let weak = coding::weakened(value);
                line(name, weak.as_deref().unwrap_or(value));
            }
            Fields::Stored | Fields::Any | Fields::Coded(_) => line(name, value),
        }
    }
    if let Fields::Coded(coding) = form {
        line("content-encoding", coding.word().as_bytes());
    }
    let mut said = fields.all("vary").flat_map(members);
    if !said.any(|name| name.eq_ignore_ascii_case(b"accept-encoding")) {
        line("vary", b"accept-encoding");
    }
    lines.freeze()
}

#[cfg(test)]
mod tests;
