//! Cache directives: `Cache-Control` of responses and requests, `Pragma` of requests, and the
//! targeted fields (RFC 9111 sections 5.2 and 5.4, RFC 5861, RFC 8246, RFC 9213).
//!
//! Unknown directives are ignored. What restricts counts however badly it is written; what
//! permits counts only when it is written well. Of several values the most restrictive counts
//! (RFC 9111 section 4.2.1).

use http::HeaderName;
use http::header::{self, HeaderMap};

use crate::fields::{Quotes, members};

mod targeted;

/// A span in whole seconds, at most 2^31 (RFC 9111 section 1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

impl Seconds {
    /// None at all.
    pub const ZERO: Seconds = Seconds(0);
    /// What every longer span is taken for.
    pub const MAX: Seconds = Seconds(1 << 31);

    /// This many seconds.
    pub fn new(seconds: u64) -> Self {
        Seconds(u32::try_from(seconds).unwrap_or(u32::MAX).min(Self::MAX.0))
    }

    /// The number.
    pub fn get(self) -> u64 {
        u64::from(self.0)
    }

    /// The same span in milliseconds.
    pub(crate) fn millis(self) -> u64 {
        self.get() * 1000
    }

    /// Reads `delta-seconds`: digits and nothing else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let append = |number: u64, digit: &u8| {
            number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        };
        Some(Seconds::new(text.iter().fold(0, append)))
    }
}

/// What a response's directives say to a shared cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// It must not be stored.
    pub no_store: bool,
    /// It must not be reused without validation.
    pub no_cache: bool,
    /// It is meant for one user.
    pub private: bool,
    /// It may be stored although that would be forbidden otherwise.
    pub public: bool,
    /// Stale, it must not be reused without validation.
    pub must_revalidate: bool,
    /// The same, for shared caches.
    pub proxy_revalidate: bool,
    /// It may be stored only by who understands its status.
    pub must_understand: bool,
    /// It does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// Its content must not be changed on the way.
    pub no_transform: bool,
    /// Its freshness lifetime.
    pub max_age: Option<Seconds>,
    /// Its freshness lifetime in shared caches.
    pub s_maxage: Option<Seconds>,
    /// Its window while it is revalidated (RFC 5861 section 3).
    pub stale_while_revalidate: Option<Seconds>,
    /// Its window in place of an error (RFC 5861 section 4).
    pub stale_if_error: Option<Seconds>,
    /// The fields that `private="…"` and `no-cache="…"` name.
    ///
    /// A shared cache must not store the former and must not reuse the latter without validation
    /// (RFC 9111 sections 5.2.2.4 and 5.2.2.7); neither is stored, which keeps both.
    pub withheld: Vec<HeaderName>,
    /// Where the directives were found.
    pub source: DirectiveSource,
}

/// Which field the directives were taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectiveSource {
    /// `Cache-Control`; then `Expires` counts too.
    #[default]
    CacheControl,
    /// A targeted field, which replaces `Cache-Control` and `Expires` (RFC 9213 section 2.2).
    Targeted,
}

impl CacheControl {
    /// Reads a response's fields. The first targeted field that parses and is not empty counts
    /// alone (RFC 9213 section 2.2).
    pub fn of_response(fields: &HeaderMap, targeted_fields: &[HeaderName]) -> Self {
        let targeted = targeted_fields.iter().find_map(|name| targeted::read(fields, name));
        targeted.unwrap_or_else(|| Self::of_lines(fields))
    }

    fn of_lines(fields: &HeaderMap) -> Self {
        let mut found = CacheControl::default();
        for line in fields.get_all(header::CACHE_CONTROL) {
            for directive in directives(line.as_bytes()) {
                found.hear(directive);
            }
        }
        found
    }

    /// Whether stale reuse is forbidden (RFC 9111 sections 4.2.4, 5.2.2.2, 5.2.2.8 and 5.2.2.10).
    pub fn closes_stale_windows(&self) -> bool {
        self.no_cache || self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some()
    }

    fn hear(&mut self, directive: Directive) {
        let Directive { name, argument } = directive;
        let span = || argument.seconds().unwrap_or(Seconds::ZERO);
        if let Some(window) = self.span_named(name) {
            *window = Some(window.map_or(span(), |earlier| earlier.min(span())));
            return;
        }
        match Word::of(name) {
            Some(Word::NoStore) => self.no_store = true,
            Some(Word::NoCache) => match argument.names() {
                Some(names) => self.withheld.extend(names),
                None => self.no_cache = true,
            },
            Some(Word::Private) => match argument.names() {
                Some(names) => self.withheld.extend(names),
                None => self.private = true,
            },
            Some(Word::MustRevalidate) => self.must_revalidate = true,
            Some(Word::ProxyRevalidate) => self.proxy_revalidate = true,
            Some(Word::NoTransform) => self.no_transform = true,
            Some(Word::MustUnderstand) => self.must_understand = true,
            Some(Word::Public) => self.public |= argument == Argument::None,
            Some(Word::Immutable) => self.immutable |= argument == Argument::None,
            None => {}
        }
    }

    fn span_named(&mut self, name: &[u8]) -> Option<&mut Option<Seconds>> {
        let spans: [(&str, &mut Option<Seconds>); 4] = [
            ("max-age", &mut self.max_age),
            ("s-maxage", &mut self.s_maxage),
            ("stale-while-revalidate", &mut self.stale_while_revalidate),
            ("stale-if-error", &mut self.stale_if_error),
        ];
        let named = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        spans.into_iter().find_map(|(known, span)| named(known).then_some(span))
    }
}

/// A response directive without a span.
#[derive(Clone, Copy)]
enum Word {
    NoStore,
    NoCache,
    Private,
    Public,
    MustRevalidate,
    ProxyRevalidate,
    MustUnderstand,
    Immutable,
    NoTransform,
}

impl Word {
    fn of(name: &[u8]) -> Option<Self> {
        const WORDS: [(&str, Word); 9] = [
            ("no-store", Word::NoStore),
            ("no-cache", Word::NoCache),
            ("private", Word::Private),
            ("public", Word::Public),
            ("must-revalidate", Word::MustRevalidate),
            ("proxy-revalidate", Word::ProxyRevalidate),
            ("must-understand", Word::MustUnderstand),
            ("immutable", Word::Immutable),
            ("no-transform", Word::NoTransform),
        ];
        let named = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        WORDS.into_iter().find_map(|(known, word)| named(known).then_some(word))
    }
}

/// What a request's directives say (RFC 9111 section 5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// Nothing of the exchange may be stored.
    pub no_store: bool,
    /// Nothing stored may answer without validation; `Pragma: no-cache` says the same where there
    /// is no `Cache-Control` (RFC 9111 section 5.4).
    pub no_cache: bool,
    /// Only what is stored may answer.
    pub only_if_cached: bool,
    /// The oldest age that is taken.
    pub max_age: Option<Seconds>,
    /// The freshness that must remain.
    pub min_fresh: Option<Seconds>,
    /// The staleness that is taken; any, where the directive has no argument.
    pub max_stale: Option<Seconds>,
}

impl RequestDirectives {
    /// Reads a request's fields, without an allocation.
    pub fn of(fields: &HeaderMap) -> Self {
        let mut found = RequestDirectives::default();
        let Some(_) = fields.get(header::CACHE_CONTROL) else {
            found.no_cache = asks_by_pragma(fields);
            return found;
        };
        for line in fields.get_all(header::CACHE_CONTROL) {
            for directive in directives(line.as_bytes()) {
                found.hear(directive);
            }
        }
        found
    }

    /// Those that count although the origin is protected from its clients' reload buttons.
    pub fn protected(self) -> Self {
        RequestDirectives {
            no_store: self.no_store,
            only_if_cached: self.only_if_cached,
            ..RequestDirectives::default()
        }
    }

    fn hear(&mut self, Directive { name, argument }: Directive) {
        let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        if is("no-cache") {
            self.no_cache = true;
        } else if is("no-store") {
            self.no_store = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            let span = argument.seconds().unwrap_or(Seconds::ZERO);
            self.max_age = Some(self.max_age.map_or(span, |earlier| earlier.min(span)));
        } else if is("min-fresh") {
            let span = argument.seconds().unwrap_or(Seconds::ZERO);
            self.min_fresh = self.min_fresh.max(Some(span));
        } else if is("max-stale") {
            let any = if argument == Argument::None { Seconds::MAX } else { Seconds::ZERO };
            let span = argument.seconds().unwrap_or(any);
            self.max_stale = Some(self.max_stale.map_or(span, |earlier| earlier.min(span)));
        }
    }
}

fn asks_by_pragma(fields: &HeaderMap) -> bool {
    let no_cache = |line: &[u8]| members(line).any(|word| word.eq_ignore_ascii_case(b"no-cache"));
    fields.get_all(header::PRAGMA).into_iter().any(|line| no_cache(line.as_bytes()))
}

/// One directive as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Directive<'a> {
    name: &'a [u8],
    argument: Argument<'a>,
}

/// What stands behind a directive's `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument<'a> {
    /// There is no `=`.
    None,
    /// A token, or the inside of a quoted string.
    Text(&'a [u8]),
    /// Neither of the two, or white space beside the `=`.
    Malformed,
}

impl Argument<'_> {
    fn seconds(self) -> Option<Seconds> {
        match self {
            Argument::Text(text) => Seconds::parse(text),
            Argument::None | Argument::Malformed => None,
        }
    }

    /// The field names that it lists; nothing when it lists none or anything else beside them, so
    /// that the directive counts for the whole response.
    fn names(self) -> Option<Vec<HeaderName>> {
        let Argument::Text(text) = self else { return None };
        let names: Result<Vec<_>, _> = members(text).map(HeaderName::from_bytes).collect();
        names.ok().filter(|names| !names.is_empty())
    }
}

/// The directives of one line.
fn directives(line: &[u8]) -> impl Iterator<Item = Directive<'_>> {
    members(line).map(directive)
}

fn directive(member: &[u8]) -> Directive<'_> {
    let Some(equals) = member.iter().position(|byte| *byte == b'=') else {
        return Directive { name: member, argument: Argument::None };
    };
    let (name, value) = (&member[..equals], &member[equals + 1..]);
    let is_spaced = name.ends_with(b" ") || value.starts_with(b" ");
    let argument = if is_spaced { Argument::Malformed } else { argument(value) };
    Directive { name: name.trim_ascii(), argument }
}

fn argument(value: &[u8]) -> Argument<'_> {
    if !value.starts_with(b"\"") {
        let is_token = !value.is_empty() && !value.contains(&b'"');
        return if is_token { Argument::Text(value) } else { Argument::Malformed };
    }
    let mut quotes = Quotes::default();
    let quoted = value.iter().take_while(|byte| quotes.covers(**byte)).count();
    let ends = value.len() >= 2 && quoted == value.len() && matches!(quotes, Quotes::Outside);
    if ends { Argument::Text(&value[1..quoted - 1]) } else { Argument::Malformed }
}

#[cfg(test)]
mod tests;
