//! The normal form of a request field's value: what two requests must share for a stored response
//! to fit both (RFC 9111 section 4.1).
//!
//! Nothing that could matter is left out. Lines are joined and white space beside commas goes;
//! of weighted lists the order and the case go too, never a weight: a coding that a client
//! refuses must not be sent to it.

use http::header::{self, HeaderMap, HeaderName};

use crate::fields::{Quotes, members_of};
use crate::weighted::Weighted;

/// The normal form, for keeping.
pub(super) fn of(name: &HeaderName, request: &HeaderMap) -> Box<[u8]> {
    let mut form = Vec::new();
    normalise(name, request, &mut |byte| form.push(byte));
    form.into_boxed_slice()
}

/// Whether the normal form is this one, found without an allocation.
pub(super) fn is(name: &HeaderName, request: &HeaderMap, expected: &[u8]) -> bool {
    let mut rest = expected.iter();
    let mut is_same = true;
    normalise(name, request, &mut |byte| is_same &= rest.next() == Some(&byte));
    is_same && rest.next().is_none()
}

/// Stands before a weighted list's value that is none, so that it is never taken for one.
const NO_LIST: u8 = 0;

fn normalise(name: &HeaderName, request: &HeaderMap, emit: &mut impl FnMut(u8)) {
    if is_weighted_list(name) {
        match WeightedList::read(name, request) {
            Some(list) => return list.emit(emit),
            None => emit(NO_LIST),
        }
    }
    for (at, line) in request.get_all(name).into_iter().enumerate() {
        if *name == header::COOKIE {
            // HTTP/2 may part a cookie into lines (RFC 9113 section 8.2.3).
            emit_all(if at > 0 { b"; " } else { b"" }, emit);
            emit_all(line.as_bytes().trim_ascii(), emit);
        } else {
            emit_all(if at > 0 { b"," } else { b"" }, emit);
            emit_compact(line.as_bytes(), emit);
        }
    }
}

fn emit_all(bytes: &[u8], emit: &mut impl FnMut(u8)) {
    bytes.iter().for_each(|byte| emit(*byte));
}

/// A line without the white space at its ends and beside its commas, but for quoted strings.
fn emit_compact(line: &[u8], emit: &mut impl FnMut(u8)) {
    let mut quotes = Quotes::default();
    let parts = line.split(|byte| !quotes.covers(*byte) && *byte == b',');
    for (at, part) in parts.enumerate() {
        emit_all(if at > 0 { b"," } else { b"" }, emit);
        emit_all(part.trim_ascii(), emit);
    }
}

/// Fields whose members are a word and a weight, in no order (RFC 9110 sections 12.4.2 and
/// 12.5.2 to 12.5.4).
fn is_weighted_list(name: &HeaderName) -> bool {
    [header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE, header::ACCEPT_CHARSET].contains(name)
}

/// Members that are sorted in place; a longer list is compared as it is written.
const MEMBERS_MAX: usize = 32;

/// A weighted list's members, sorted, each once.
struct WeightedList<'a> {
    members: [Weighted<'a>; MEMBERS_MAX],
    length: usize,
}

impl<'a> WeightedList<'a> {
    fn read(name: &'a HeaderName, request: &'a HeaderMap) -> Option<Self> {
        let nothing = Weighted { word: b"", weight: 0 };
        let mut list = WeightedList { members: [nothing; MEMBERS_MAX], length: 0 };
        for member in members_of(request, name) {
            let weighted = Weighted::read(member)?;
            *list.members.get_mut(list.length)? = under_one_name(weighted, name);
            list.length += 1;
        }
        list.members[..list.length].sort_unstable_by(order);
        Some(list)
    }

    fn emit(&self, emit: &mut impl FnMut(u8)) {
        let members = &self.members[..self.length];
        let mut last = None;
        for member in members {
            if last.is_some_and(|last| order(member, last).is_eq()) {
                continue;
            }
            emit_all(if last.is_some() { b"," } else { b"" }, emit);
            emit_weighted(member, emit);
            last = Some(member);
        }
    }
}

/// Two codings have an older name beside their own (RFC 9110 section 8.4.1).
fn under_one_name<'a>(member: Weighted<'a>, name: &HeaderName) -> Weighted<'a> {
    if *name != header::ACCEPT_ENCODING {
        return member;
    }
    let word: &[u8] = match member.word {
        old if old.eq_ignore_ascii_case(b"x-gzip") => b"gzip",
        old if old.eq_ignore_ascii_case(b"x-compress") => b"compress",
        word => word,
    };
    Weighted { word, ..member }
}

fn order(one: &Weighted<'_>, other: &Weighted<'_>) -> std::cmp::Ordering {
    let (own, others) = (one.word.iter(), other.word.iter());
    let own = own.map(u8::to_ascii_lowercase);
    own.cmp(others.map(u8::to_ascii_lowercase)).then(one.weight.cmp(&other.weight))
}

fn emit_weighted(member: &Weighted<'_>, emit: &mut impl FnMut(u8)) {
    member.word.iter().for_each(|byte| emit(byte.to_ascii_lowercase()));
    if member.weight == 1000 {
        return;
    }
    emit_all(b";q=", emit);
    for unit in [100, 10, 1] {
        emit(b'0' + (member.weight / unit % 10) as u8);
    }
}
