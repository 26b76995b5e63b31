//! Question 2: may this stored response answer the request, now? (RFC 9111 sections 4 and 4.2.4,
//! RFC 5861, RFC 8246.)

use std::time::Duration;

use http::StatusCode;

use crate::cache_control::Seconds;
use crate::date::Timestamp;
use crate::policy::Policy;
use crate::request::Asked;
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
        }
    }

    /// The word for `Cache-Status`'s `fwd`.
    pub fn forward(self) -> Forward {
        match self {
            RevalidateReason::Stale | RevalidateReason::NoCache => Forward::Stale,
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
pub fn reuse(asked: &Asked, stored: &Stored, policy: &Policy, now: Timestamp) -> Reuse {
    let answer = match (reason_to_validate(asked, stored, now), stored.staleness(now)) {
        (Some(reason), _) => Reuse::Revalidate(reason),
        (None, None) => Reuse::Serve,
        (None, Some(staleness)) => reuse_stale(asked, stored, policy, staleness),
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
    now: Timestamp,
    failing: Failing,
) -> bool {
    if asked.directives().no_cache || stored.once_stale() == OnceStale::AlwaysValidate {
        return false;
    }
    let Some(staleness) = stored.staleness(now) else { return is_failure(failing) };
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
fn reason_to_validate(asked: &Asked, stored: &Stored, now: Timestamp) -> Option<RevalidateReason> {
    if stored.once_stale() == OnceStale::AlwaysValidate {
        return Some(RevalidateReason::NoCache);
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
    // A response that came within this very millisecond has an age of zero and is taken, but by
    // a reload, which asks for a newer one.
    is_reload || stored.age(now) > span(max_age)
}

fn reuse_stale(asked: &Asked, stored: &Stored, policy: &Policy, staleness: Duration) -> Reuse {
    let is_open = stored.once_stale() == OnceStale::Windows;
    let wanted = asked.directives();
    if is_open && wanted.max_stale.is_some_and(|max_stale| staleness <= span(max_stale)) {
        return Reuse::Serve;
    }
    // Who says how old it may be and nothing of staleness wants none (RFC 9111 section 5.2.1.1).
    let wants_fresh = wanted.max_age.is_some();
    if is_open && !wants_fresh && staleness < stored.revalidate_window(policy) {
        return Reuse::ServeAndRefresh(RefreshReason::StaleWhileRevalidate);
    }
    Reuse::Revalidate(RevalidateReason::Stale)
}

fn span(seconds: Seconds) -> Duration {
    Duration::from_secs(seconds.get())
}

#[cfg(test)]
mod tests;
