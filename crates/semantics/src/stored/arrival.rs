//! How an arriving response becomes a stored head, and how a 304 updates one (RFC 9111 sections
//! 3.1, 3.2 and 4.3.4).

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{Change, OnceStale, Stored};
use crate::cache_control::CacheControl;
use crate::date::{Timestamp, http_date};
use crate::fields::{self, FieldBlock};
use crate::freshness::{self, Evidence};
use crate::policy::Policy;
use crate::request::Credentials;
use crate::storing;
use crate::tags::Tags;

/// The circumstances under which a response came.
pub(super) struct Arrival<'a> {
    pub(super) policy: &'a Policy,
    pub(super) credentials: Credentials,
    pub(super) requested_at: Timestamp,
    pub(super) received_at: Timestamp,
}

impl Arrival<'_> {
    /// The head that is stored of this response.
    pub(super) fn head(&self, status: StatusCode, fields: &HeaderMap) -> Stored {
        let Arrival { policy, credentials, requested_at, received_at } = *self;
        let directives = &CacheControl::of_response(fields, &policy.targeted_fields);
        let evidence = Evidence { status, fields, directives, credentials, received_at };
        let lifetime = evidence.lifetime(policy);
        let initial_age = freshness::initial_age_millis(fields, requested_at, received_at);
        let tags = Tags::of(fields, policy);
        let mut stored = Stored {
            fields: self.stored_fields(fields, directives),
            tags: tags.clone().unwrap_or_default(),
            received_at,
            keep_until: received_at,
            initial_age_millis: initial_age
                .unwrap_or_else(|| freshness::apparent_age_millis(fields, received_at)),
            // An age that cannot be trusted is as good as one beyond every lifetime.
            lifetime_millis: initial_age.map_or(0, |_| millis(lifetime.span)),
            stale_while_revalidate: directives.stale_while_revalidate,
            stale_if_error: directives.stale_if_error,
            status,
            lifetime_source: lifetime.source,
            once_stale: once_stale(directives),
            credentials,
            change: if directives.immutable { Change::Excluded } else { Change::Possible },
        };
        stored.keep_until = stored.useful_until(policy);
        // A 304 may say that what it validates must not be kept any longer.
        if storing::prohibition(directives, status).is_some() || tags.is_err() {
            stored.once_stale = OnceStale::AlwaysValidate;
            stored.keep_until = received_at.saturating_add(super::KEPT_MIN);
        }
        stored
    }

    /// RFC 9111 section 3.1, and what the response's directives and the policy withhold.
    fn stored_fields(&self, fields: &HeaderMap, directives: &CacheControl) -> FieldBlock {
        let of_connection = fields::named_by_connection(fields);
        let takes_cookies = storing::takes_cookies(self.policy, directives);
        let passes = |name: &HeaderName| {
            !fields::is_never_stored(name)
                && !of_connection.contains(name)
                && !directives.withheld.contains(name)
                && !self.policy.strips(name)
                && (takes_cookies || !fields::sets_cookies(name))
        };
        if freshness::date_in(fields, &header::DATE, self.received_at).is_some() {
            return FieldBlock::from_map_where(fields, passes);
        }
        FieldBlock::from_map_where(&dated(fields.clone(), self.received_at), passes)
    }
}

fn once_stale(directives: &CacheControl) -> OnceStale {
    if directives.no_cache {
        OnceStale::AlwaysValidate
    } else if directives.closes_stale_windows() {
        OnceStale::Closed
    } else {
        OnceStale::Windows
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Who receives a response without a date gives it one (RFC 9110 section 6.6.1).
fn dated(mut fields: HeaderMap, received_at: Timestamp) -> HeaderMap {
    if let Ok(date) = HeaderValue::try_from(http_date(received_at)) {
        fields.insert(header::DATE, date);
    }
    fields
}

/// Stored fields with those of a 304 in their place (RFC 9111 section 3.2). Its `Age` is among
/// them, for the new age.
pub(super) fn updated(stored: &FieldBlock, newer: &HeaderMap, received_at: Timestamp) -> HeaderMap {
    let mut updated = dated(stored.to_map(), received_at);
    let of_connection = fields::named_by_connection(newer);
    let updates = |name: &&HeaderName| !of_connection.contains(name) && may_update(name, stored);
    for name in newer.keys().filter(updates) {
        updated.remove(name);
        for value in newer.get_all(name) {
            updated.append(name, value.clone());
        }
    }
    updated
}

fn may_update(name: &HeaderName, stored: &FieldBlock) -> bool {
    if *name == header::AGE {
        return true;
    }
    let is_known_tag = *name == header::ETAG && stored.first("etag").is_some();
    !fields::is_never_stored(name) && !describes_stored_bytes(name) && !is_known_tag
}

/// Fields that say how the stored bytes are to be read: another value would be wrong for them.
/// A tag that a stored response has is its name and stays as well.
fn describes_stored_bytes(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "content-encoding" | "content-range" | "content-md5" | "content-digest" | "repr-digest"
    )
}
