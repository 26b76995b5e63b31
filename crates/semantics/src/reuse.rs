//! Question 2: may this stored response answer the request, now? (RFC 9111 sections 4 and 4.2.4.)

use http::StatusCode;

use crate::date::Timestamp;
use crate::policy::Policy;
use crate::request::Asked;
use crate::stored::Stored;

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
    /// It is stale, within its window.
    StaleWhileRevalidate,
}

/// Why what is stored must be validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevalidateReason {
    /// It is stale.
    Stale,
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
    unimplemented!()
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
    unimplemented!()
}
