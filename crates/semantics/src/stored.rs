//! A stored response's head as the rules see it (RFC 9111 sections 3.1, 3.2 and 4.2).
//!
//! Compact: one struct and one block of fields. It is never changed; what changes it makes
//! another that shares what is the same.

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName};

use crate::cache_control::Seconds;
use crate::date::Timestamp;
use crate::fields::FieldBlock;
use crate::freshness::LifetimeSource;
use crate::policy::Policy;
use crate::request::{Asked, Credentials};
use crate::tags::Tags;
use crate::variants::Vary;

mod arrival;
mod form;

use arrival::Arrival;

/// How long anything that is kept at all is kept at least.
const KEPT_MIN: Duration = Duration::from_secs(1);

/// The head of a stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    fields: FieldBlock,
    tags: Tags,
    received_at: Timestamp,
    keep_until: Timestamp,
    initial_age_millis: u64,
    lifetime_millis: u64,
    stale_while_revalidate: Option<Seconds>,
    stale_if_error: Option<Seconds>,
    status: StatusCode,
    lifetime_source: LifetimeSource,
    once_stale: OnceStale,
    credentials: Credentials,
    change: Change,
}

/// What may be done without validation with a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnceStale {
    /// It may be served stale within its windows.
    Windows,
    /// Stale, it must be validated (RFC 9111 section 4.2.4).
    Closed,
    /// Fresh or stale, it must be validated (RFC 9111 sections 4.4 and 5.2.2.4).
    AlwaysValidate,
}

/// Whether a fresh response may have changed at its origin (RFC 8246).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It may.
    Possible,
    /// Its origin says that it will not.
    Excluded,
}

/// What a response to HEAD does to a stored response to GET (RFC 9111 section 4.3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadEffect {
    /// It is the same representation, with a newer head.
    Freshened(Stored),
    /// It is another by now; what is stored is stale.
    MadeStale(Stored),
}

impl Stored {
    /// The head of a response that `storing` said to keep.
    pub fn new(
        policy: &Policy,
        asked: &Asked,
        status: StatusCode,
        fields: &HeaderMap,
        requested_at: Timestamp,
        received_at: Timestamp,
    ) -> Self {
        Arrival { policy, credentials: asked.credentials, requested_at, received_at }
            .head(status, fields)
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its fields, without those that are never stored, without `Age` and `Content-Length`.
    pub fn fields(&self) -> &FieldBlock {
        &self.fields
    }

    /// The names by which it is purged together with others.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// When it, or the last response that freshened it, was received.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// The time since it was made or validated at the origin (RFC 9111 section 4.2.3).
    pub fn age(&self, now: Timestamp) -> Duration {
        Duration::from_millis(self.age_millis(now))
    }

    /// How long it is fresh (RFC 9111 section 4.2.1).
    pub fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime_millis)
    }

    /// Who said how long it is fresh.
    pub fn lifetime_source(&self) -> LifetimeSource {
        self.lifetime_source
    }

    /// What is left of the lifetime in whole seconds; negative when it is stale.
    pub fn ttl_seconds(&self, now: Timestamp) -> i64 {
        // No `u64` of milliseconds is too many seconds for an `i64`.
        match self.lifetime_millis.checked_sub(self.age_millis(now)) {
            Some(left) => (left / 1000) as i64,
            None => -((self.age_millis(now) - self.lifetime_millis).div_ceil(1000) as i64),
        }
    }

    /// Whether its age has not reached its lifetime (RFC 9111 section 4.2).
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.lifetime_millis > self.age_millis(now)
    }

    /// How long ago it became stale; nothing while it is fresh.
    pub fn staleness(&self, now: Timestamp) -> Option<Duration> {
        let millis = self.age_millis(now).checked_sub(self.lifetime_millis)?;
        Some(Duration::from_millis(millis))
    }

    /// How long it is of any use, and a tier should keep it: its lifetime, the longest window
    /// that may apply, and the policy's `keep` when it can be validated.
    pub fn keep_until(&self) -> Timestamp {
        self.keep_until
    }

    /// Its entity tag, as written.
    pub fn etag(&self) -> Option<&[u8]> {
        self.fields.first("etag")
    }

    /// Its modification date, as written.
    pub fn last_modified(&self) -> Option<&[u8]> {
        self.fields.first("last-modified")
    }

    /// The request fields that it nominates. A 304 may change them; then it is another variant.
    pub fn vary(&self) -> Vary {
        Vary::of(&self.fields.to_map())
    }

    /// This head, updated by a 304 that was chosen for it (RFC 9111 sections 3.2 and 4.3.4). Its
    /// tags stay where the 304 names none.
    pub fn freshen(
        &self,
        policy: &Policy,
        fields: &HeaderMap,
        requested_at: Timestamp,
        received_at: Timestamp,
    ) -> Stored {
        let credentials = self.credentials;
        let mut newer = Arrival { policy, credentials, requested_at, received_at }
            .head(self.status, &arrival::updated(&self.fields, fields, received_at));
        if !Tags::are_said(fields, policy) {
            newer.tags = self.tags.clone();
        }
        newer
    }

    /// What a 200 to HEAD does to it, whose body is so long (RFC 9111 section 4.3.5).
    pub fn freshened_by_head(
        &self,
        policy: &Policy,
        fields: &HeaderMap,
        body_bytes: u64,
        requested_at: Timestamp,
        received_at: Timestamp,
    ) -> HeadEffect {
        let agrees = |name: HeaderName, stored: Option<&[u8]>| {
            fields.get(name).is_none_or(|value| stored == Some(value.as_bytes()))
        };
        let length = body_bytes.to_string();
        let is_same = agrees(header::ETAG, self.etag())
            && agrees(header::LAST_MODIFIED, self.last_modified())
            && agrees(header::CONTENT_LENGTH, Some(length.as_bytes()));
        match is_same {
            true => HeadEffect::Freshened(self.freshen(policy, fields, requested_at, received_at)),
            false => HeadEffect::MadeStale(self.clone().made_stale(received_at)),
        }
    }

    /// This head, stale from now on; where it was fresh, its stale windows begin now.
    pub fn made_stale(self, now: Timestamp) -> Stored {
        let lifetime_millis = self.lifetime_millis.min(self.age_millis(now));
        Stored { lifetime_millis, ..self }
    }

    /// This head, not to be reused before it is validated (RFC 9111 section 4.4).
    pub fn invalidated(self) -> Stored {
        Stored { once_stale: OnceStale::AlwaysValidate, ..self }
    }

    /// What it occupies in memory, its own size included.
    pub fn weight_bytes(&self) -> usize {
        // What an allocator and `Bytes` add to one shared allocation.
        const ALLOCATION_BYTES: usize = 48;
        let tags = match self.tags.is_empty() {
            true => 0,
            false => self.tags.weight_bytes() + ALLOCATION_BYTES,
        };
        size_of::<Stored>() + self.fields.len() + ALLOCATION_BYTES + tags
    }

    pub(crate) fn once_stale(&self) -> OnceStale {
        self.once_stale
    }

    pub(crate) fn change(&self) -> Change {
        self.change
    }

    /// The window while it is refreshed: its own, else the policy's.
    pub fn revalidate_window(&self, policy: &Policy) -> Duration {
        self.stale_while_revalidate.map_or(policy.stale_while_revalidate, span)
    }

    /// The window in place of an error: its own, else the policy's.
    pub fn error_window(&self, policy: &Policy) -> Duration {
        self.stale_if_error.map_or(policy.stale_if_error, span)
    }

    fn age_millis(&self, now: Timestamp) -> u64 {
        let resident = now.unix_millis().saturating_sub(self.received_at.unix_millis());
        self.initial_age_millis.saturating_add(resident)
    }

    fn can_be_validated(&self) -> bool {
        self.etag().is_some() || self.last_modified().is_some()
    }

    /// See `keep_until`.
    fn useful_until(&self, policy: &Policy) -> Timestamp {
        let window = match self.once_stale {
            OnceStale::Windows => self
                .revalidate_window(policy)
                .max(self.error_window(policy))
                .max(policy.stale_when_unreachable),
            OnceStale::Closed | OnceStale::AlwaysValidate => Duration::ZERO,
        };
        let left = self
            .lifetime()
            .saturating_add(window)
            .saturating_sub(Duration::from_millis(self.initial_age_millis));
        let kept = if self.can_be_validated() { policy.keep } else { Duration::ZERO };
        self.received_at.saturating_add(left.saturating_add(kept).max(KEPT_MIN))
    }
}

fn span(seconds: Seconds) -> Duration {
    Duration::from_secs(seconds.get())
}

#[cfg(test)]
mod tests;
