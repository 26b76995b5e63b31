//! Question 2: may this stored response answer the request, now? (RFC 9111 sections 4 and 4.2.4,
//! RFC 5861, RFC 8246.)

use std::time::Duration;

use http::StatusCode;

use crate::cache_control::Seconds;
use crate::date::Timestamp;
use crate::policy::Policy;
use crate::request::Asked;
use crate::standing::{InPlaceOfErrors, Proof, Standing};
use crate::status::Forward;
use crate::stored::{Change, OnceStale, Stored};

/// The answer to question 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Serve it.
    Serve,
    /// Serve it, and get a newer one behind the answer.
    ServeAndRefresh(RefreshReason),
    /// Validate it first.
    Revalidate(RevalidateReason),
    /// Answer 504: the client wants nothing from the origin (RFC 9111 section 5.2.1.7).
    Refuse,
}

/// Why what is served is refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshReason {
    /// It is stale, within its window (RFC 5861 section 3).
    StaleWhileRevalidate,
}

impl RefreshReason {
    /// The word for `Cache-Status`'s `detail`.
    pub fn detail(self) -> &'static str {
        match self {
            RefreshReason::StaleWhileRevalidate => "stale-while-revalidate",
        }
    }
}

/// Why what is stored must be validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevalidateReason {
    /// It is stale.
    Stale,
    /// It must always be validated: `no-cache`, or an unsafe request spoiled it.
    NoCache,
    /// The client asks for validation: `no-cache`.
    RequestNoCache,
    /// It is older than the client takes: `max-age`.
    RequestMaxAge,
    /// It is not fresh for as long as the client wants: `min-fresh`.
    RequestMinFresh,
    /// An operator purged it softly, and its windows do not hold.
    Purged,
    /// Purges are not heard of just now, and it was validated too long ago.
    InDoubt,
    /// A purge of it may have been missed.
    Unproven,
}

impl RevalidateReason {
    /// The word for `Cache-Status`'s `detail`.
    pub fn detail(self) -> &'static str {
        match self {
            RevalidateReason::Stale => "stale",
            RevalidateReason::NoCache => "no-cache",
            RevalidateReason::RequestNoCache => "request-no-cache",
            RevalidateReason::RequestMaxAge => "request-max-age",
            RevalidateReason::RequestMinFresh => "request-min-fresh",
            RevalidateReason::Purged => "purged",
            RevalidateReason::InDoubt => "in-doubt",
            RevalidateReason::Unproven => "unproven",
        }
    }

    /// The same in words for people.
    pub fn words(self) -> &'static str {
        match self {
            RevalidateReason::Stale => "it is stale",
            RevalidateReason::NoCache => "it must always be validated",
            RevalidateReason::RequestNoCache => "the client asks for it with `no-cache`",
            RevalidateReason::RequestMaxAge => "it is older than the client takes",
            RevalidateReason::RequestMinFresh => "it is not fresh for as long as the client wants",
            RevalidateReason::Purged => "a soft purge made it stale",
            RevalidateReason::InDoubt => {
                "purges are not heard of just now, and it was validated too long ago"
            }
            RevalidateReason::Unproven => "a purge of it may have been missed",
        }
    }

    /// The word for `Cache-Status`'s `fwd`.
    pub fn forward(self) -> Forward {
        match self {
            RevalidateReason::Stale
            | RevalidateReason::NoCache
            | RevalidateReason::Purged
            | RevalidateReason::InDoubt
            | RevalidateReason::Unproven => Forward::Stale,
            RevalidateReason::RequestNoCache
            | RevalidateReason::RequestMaxAge
            | RevalidateReason::RequestMinFresh => Forward::Request,
        }
    }
}

/// How an attempt to reach the origin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// No response came.
    Unreachable,
    /// One came, with this status.
    Status(StatusCode),
}

/// What to do with a stored response for this request.
pub fn reuse(
    asked: &Asked,
    stored: &Stored,
    policy: &Policy,
    standing: &Standing,
    now: Timestamp,
) -> Reuse {
    let staleness = standing.staleness(stored.staleness(now), now);
    let answer = match (reason_to_validate(asked, stored, standing, now), staleness) {
        (Some(reason), _) => Reuse::Revalidate(reason),
        (None, None) => Reuse::Serve,
        (None, Some(staleness)) if may_be_stale(asked, stored, staleness) => Reuse::Serve,
        (None, Some(staleness)) if is_in_window(asked, stored, policy, staleness) => {
            Reuse::ServeAndRefresh(RefreshReason::StaleWhileRevalidate)
        }
        (None, Some(_)) => Reuse::Revalidate(match stored.is_fresh(now) {
            true => RevalidateReason::Purged,
            false => RevalidateReason::Stale,
        }),
    };
    match answer {
        Reuse::Revalidate(_) if asked.is_only_if_cached() => Reuse::Refuse,
        Reuse::Serve | Reuse::ServeAndRefresh(_) | Reuse::Revalidate(_) | Reuse::Refuse => answer,
    }
}

/// Whether a stored response may answer in place of a failure (RFC 5861 section 4, RFC 9111
/// section 4.2.4).
pub fn stale_on_failure(
    asked: &Asked,
    stored: &Stored,
    policy: &Policy,
    standing: &Standing,
    now: Timestamp,
    failing: Failing,
) -> bool {
    if asked.directives().no_cache || stored.once_stale() == OnceStale::AlwaysValidate {
        return false;
    }
    if standing.in_place_of_errors == InPlaceOfErrors::Never
        && !standing.is_proven(stored.received_at(), now)
    {
        return false;
    }
    let staleness = standing.staleness(stored.staleness(now), now);
    let Some(staleness) = staleness else { return is_failure(failing) };
    let window = match failing {
        Failing::Unreachable => stored.error_window(policy).max(policy.stale_when_unreachable),
        Failing::Status(_) => stored.error_window(policy),
    };
    is_failure(failing) && stored.once_stale() == OnceStale::Windows && staleness < window
}

/// RFC 5861 section 4 names these four.
fn is_failure(failing: Failing) -> bool {
    match failing {
        Failing::Unreachable => true,
        Failing::Status(status) => matches!(status.as_u16(), 500 | 502 | 503 | 504),
    }
}

/// What forbids to serve it whether it is fresh or stale.
fn reason_to_validate(
    asked: &Asked,
    stored: &Stored,
    standing: &Standing,
    now: Timestamp,
) -> Option<RevalidateReason> {
    if stored.once_stale() == OnceStale::AlwaysValidate {
        return Some(RevalidateReason::NoCache);
    }
    if !standing.is_proven(stored.received_at(), now) {
        return Some(match standing.proof {
            Proof::Sure | Proof::Within(_) => RevalidateReason::InDoubt,
            Proof::Missing => RevalidateReason::Unproven,
        });
    }
    let wanted = asked.directives();
    if wanted.no_cache {
        return Some(RevalidateReason::RequestNoCache);
    }
    if wanted.max_age.is_some_and(|max_age| is_too_old(stored, max_age, now)) {
        return Some(RevalidateReason::RequestMaxAge);
    }
    let fresh_for = stored.lifetime().saturating_sub(stored.age(now));
    if wanted.min_fresh.is_some_and(|min_fresh| fresh_for < span(min_fresh)) {
        return Some(RevalidateReason::RequestMinFresh);
    }
    None
}

/// RFC 9111 section 5.2.1.1. `max-age=0` is what a reload button sends, and an immutable response
/// need not be validated for it while it is fresh (RFC 8246 section 2).
fn is_too_old(stored: &Stored, max_age: Seconds, now: Timestamp) -> bool {
    let is_reload = max_age == Seconds::ZERO;
    if is_reload && stored.change() == Change::Excluded && stored.is_fresh(now) {
        return false;
    }
    // Even a response that came within this very millisecond is older than a reload asks for.
    is_reload || stored.age(now) > span(max_age)
}

/// Whether the client takes it however it became stale (RFC 9111 section 5.2.1.2).
fn may_be_stale(asked: &Asked, stored: &Stored, staleness: Duration) -> bool {
    let is_open = stored.once_stale() == OnceStale::Windows;
    is_open && asked.directives().max_stale.is_some_and(|max_stale| staleness <= span(max_stale))
}

/// RFC 5861 section 3.
fn is_in_window(asked: &Asked, stored: &Stored, policy: &Policy, staleness: Duration) -> bool {
    let is_open = stored.once_stale() == OnceStale::Windows;
    // Who says how old it may be and nothing of staleness wants none (RFC 9111 section 5.2.1.1).
    let wants_fresh = asked.directives().max_age.is_some();
    is_open && !wants_fresh && staleness < stored.revalidate_window(policy)
}

fn span(seconds: Seconds) -> Duration {
    Duration::from_secs(seconds.get())
}

#[cfg(test)]
mod tests;
