//! How old a response is and how long it is fresh (RFC 9111 section 4.2).

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName};

use crate::cache_control::{CacheControl, DirectiveSource, Seconds};
use crate::date::{Timestamp, parse_http_date_at};
use crate::fields::members;
use crate::policy::{Heuristic, Policy};
use crate::request::Credentials;

/// A freshness lifetime and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// How long.
    pub span: Duration,
    /// From where.
    pub source: LifetimeSource,
}

/// Who says how long a response is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LifetimeSource {
    /// The response (RFC 9111 section 4.2.1); what it says badly is zero.
    Explicit,
    /// The operator, for its status.
    Operator,
    /// A tenth of what it had lived unmodified (RFC 9111 section 4.2.2).
    Heuristic,
    /// Nobody; it is stale at once.
    Nobody,
}

/// What a lifetime is found from.
pub(crate) struct Evidence<'a> {
    pub(crate) status: StatusCode,
    pub(crate) fields: &'a HeaderMap,
    pub(crate) directives: &'a CacheControl,
    pub(crate) credentials: Credentials,
    /// When the response was received, where it does not say when it was made.
    pub(crate) received_at: Timestamp,
}

impl Evidence<'_> {
    /// How long the response is fresh: as it says itself, else as the operator says, else as
    /// its past suggests.
    pub(crate) fn lifetime(&self, policy: &Policy) -> Lifetime {
        if let Some(span) = self.explicit() {
            return Lifetime { span, source: LifetimeSource::Explicit };
        }
        if let Some(span) = operator_lifetime(self.status, policy) {
            return Lifetime { span, source: LifetimeSource::Operator };
        }
        match self.heuristic(policy) {
            Some(span) => Lifetime { span, source: LifetimeSource::Heuristic },
            None => Lifetime { span: Duration::ZERO, source: LifetimeSource::Nobody },
        }
    }

    /// RFC 9111 section 4.2.1.
    fn explicit(&self) -> Option<Duration> {
        if let Some(seconds) = self.directives.s_maxage.or(self.directives.max_age) {
            return Some(Duration::from_secs(seconds.get()));
        }
        match self.directives.source {
            DirectiveSource::CacheControl => self.until_expires(),
            DirectiveSource::Targeted => None,
        }
    }

    /// RFC 9111 section 5.3. What is no date, and dates that differ, mean that it is stale.
    fn until_expires(&self) -> Option<Duration> {
        let mut lines = self.fields.get_all(header::EXPIRES).into_iter();
        let read = |line: &http::HeaderValue| parse_http_date_at(line.as_bytes(), self.received_at);
        let first = read(lines.next()?);
        let agreed = first.filter(|date| lines.all(|line| read(line) == Some(*date)));
        let Some(expires) = agreed else { return Some(Duration::ZERO) };
        let seconds = expires.since(self.date()).as_secs();
        Some(Duration::from_secs(Seconds::new(seconds).get()))
    }

    /// RFC 9111 section 4.2.2: only for statuses that allow it, or where `public` does.
    fn heuristic(&self, policy: &Policy) -> Option<Duration> {
        let Heuristic::TenthOfAge { lifetime_max } = policy.heuristic else { return None };
        if self.credentials == Credentials::Present || !self.is_cacheable_unsaid() {
            return None;
        }
        let modified = date_in(self.fields, &header::LAST_MODIFIED, self.received_at)?;
        Some((self.date().since(modified) / 10).min(lifetime_max))
    }

    /// Whether it may be stored although it gives no lifetime (RFC 9111 section 3).
    pub(crate) fn is_cacheable_unsaid(&self) -> bool {
        is_heuristically_cacheable(self.status) || self.directives.public
    }

    fn date(&self) -> Timestamp {
        date_in(self.fields, &header::DATE, self.received_at).unwrap_or(self.received_at)
    }
}

fn operator_lifetime(status: StatusCode, policy: &Policy) -> Option<Duration> {
    let rule = policy.lifetimes.iter().find(|rule| (rule.first..=rule.last).contains(&status))?;
    Some(rule.lifetime)
}

/// RFC 9110 section 15.1.
pub fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The first line's date under this name, when it is one.
pub(crate) fn date_in(fields: &HeaderMap, name: &HeaderName, now: Timestamp) -> Option<Timestamp> {
    parse_http_date_at(fields.get(name)?.as_bytes(), now)
}

/// How old a response was when it was received, in milliseconds: RFC 9111 section 4.2.3's
/// `corrected_initial_age`. `None` when its `Age` cannot be trusted: then it is stale.
pub(crate) fn initial_age_millis(
    fields: &HeaderMap,
    requested_at: Timestamp,
    received_at: Timestamp,
) -> Option<u64> {
    let delay = received_at.since(requested_at).as_millis() as u64;
    Some((age_value(fields)?.millis() + delay).max(apparent_age_millis(fields, received_at)))
}

/// What `Date` alone says of the age. Both clocks count in whole seconds here, or each response
/// would seem to be the fraction of a second old that `Date` cannot say.
pub(crate) fn apparent_age_millis(fields: &HeaderMap, received_at: Timestamp) -> u64 {
    let date = date_in(fields, &header::DATE, received_at).unwrap_or(received_at);
    received_at.unix_seconds().saturating_sub(date.unix_seconds()) * 1000
}

/// What `Age` says; zero when it is not there, nothing when it is wrong (RFC 9111 section 5.1).
///
/// Of a list on one line the first member counts. A value said twice, or on several lines, is
/// the work of two who counted apart, and says nothing.
fn age_value(fields: &HeaderMap) -> Option<Seconds> {
    let mut lines = fields.get_all(header::AGE).into_iter();
    let Some(line) = lines.next() else { return Some(Seconds::ZERO) };
    let mut ages = members(line.as_bytes());
    let first = ages.next()?;
    let is_said_once = lines.next().is_none() && ages.all(|age| age != first);
    Seconds::parse(first).filter(|_| is_said_once)
}

#[cfg(test)]
mod tests;
