//! Question 3: may this response be kept? (RFC 9111 sections 3 to 3.5.)

use std::time::Duration;

use http::header::{self, HeaderMap};
use http::{StatusCode, Uri};

use crate::cache_control::CacheControl;
use crate::date;
use crate::fields;
use crate::freshness::{Evidence, LifetimeSource};
use crate::invalidation::resolve;
use crate::policy::{Heuristic, Policy, SetCookie};
use crate::request::{Asked, Credentials, MethodClass};
use crate::tags::Tags;
use crate::variants::Vary;

/// The answer to question 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storing {
    /// Keep it.
    Keep,
    /// Do not.
    Decline(DeclineReason),
}

/// Why a response is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeclineReason {
    /// Responses to its method are not reused.
    Method,
    /// The request forbids it: `no-store`.
    RequestNoStore,
    /// It is interim.
    Interim,
    /// It is a part, and parts are judged elsewhere.
    Partial,
    /// It is a 304, which only freshens what is stored.
    NotModified,
    /// Its status answers this one request, not the next.
    OnlyThisRequest,
    /// It forbids it: `no-store`.
    NoStore,
    /// It is meant for one user: `private`.
    Private,
    /// It asks for understanding that we lack: `must-understand`.
    NotUnderstood,
    /// Its `Vary` fits no other request.
    VaryAny,
    /// The request had credentials, and the response does not say that it may be shared.
    Authorization,
    /// It sets a cookie, and does not say that it may be shared.
    SetCookie,
    /// Its tags are more than are kept, or no text; without them it could not be purged.
    Tags,
    /// The operator says not to keep this status.
    Operator,
    /// Its status is kept only with an explicit lifetime.
    Status,
    /// The same, of a server's error.
    ServerError,
    /// Nothing gives it a lifetime, and it cannot be validated.
    NoLifetime,
    /// It is stale at once, cannot be validated, and may not be served stale.
    NeverReusable,
}

impl DeclineReason {
    /// The word for `Cache-Status`'s `detail`.
    pub fn detail(self) -> &'static str {
        match self {
            DeclineReason::Method => "method-not-stored",
            DeclineReason::RequestNoStore => "request-no-store",
            DeclineReason::Interim => "interim",
            DeclineReason::Partial => "partial",
            DeclineReason::NotModified => "not-modified",
            DeclineReason::OnlyThisRequest => "only-this-request",
            DeclineReason::NoStore => "no-store",
            DeclineReason::Private => "private",
            DeclineReason::NotUnderstood => "must-understand",
            DeclineReason::VaryAny => "vary-any",
            DeclineReason::Authorization => "authorization",
            DeclineReason::SetCookie => "set-cookie",
            DeclineReason::Tags => "tags",
            DeclineReason::Operator => "operator",
            DeclineReason::Status => "status",
            DeclineReason::ServerError => "server-error",
            DeclineReason::NoLifetime => "no-lifetime",
            DeclineReason::NeverReusable => "never-reusable",
        }
    }

    /// Whether the next response under this key will most likely be declined too, so that its
    /// requests should not queue for one another.
    pub fn is_worth_remembering(self) -> bool {
        match self {
            DeclineReason::NoStore
            | DeclineReason::Private
            | DeclineReason::NotUnderstood
            | DeclineReason::VaryAny
            | DeclineReason::SetCookie
            | DeclineReason::Tags
            | DeclineReason::Operator
            | DeclineReason::Status
            | DeclineReason::NoLifetime
            | DeclineReason::NeverReusable => true,
            // About this one request, or about a trouble that had better pass.
            DeclineReason::Method
            | DeclineReason::RequestNoStore
            | DeclineReason::Interim
            | DeclineReason::Partial
            | DeclineReason::NotModified
            | DeclineReason::OnlyThisRequest
            | DeclineReason::Authorization
            | DeclineReason::ServerError => false,
        }
    }
}

/// Whether a response may be kept as an answer to requests like this one.
pub fn storing(asked: &Asked, status: StatusCode, fields: &HeaderMap, policy: &Policy) -> Storing {
    match asked.method {
        MethodClass::Get | MethodClass::Listed => {}
        MethodClass::Head | MethodClass::Post | MethodClass::Safe | MethodClass::Unsafe => {
            return Storing::Decline(DeclineReason::Method);
        }
    }
    match status {
        StatusCode::PARTIAL_CONTENT => Storing::Decline(DeclineReason::Partial),
        _ => answer(objection(asked, status, fields, policy)),
    }
}

/// Whether a response to POST may be kept as an answer to a later GET: when it is a 200 that
/// gives its own lifetime and says that it is what GET would have got (RFC 9110 section 9.3.3).
pub fn storing_for_get(
    asked: &Asked,
    target: &Uri,
    status: StatusCode,
    fields: &HeaderMap,
    policy: &Policy,
) -> Storing {
    let says_target = fields
        .get(header::CONTENT_LOCATION)
        .and_then(|location| resolve(target, location.as_bytes()))
        .is_some_and(|location| location.path_and_query() == target.path_and_query());
    let directives = &CacheControl::of_response(fields, &policy.targeted_fields);
    let is_explicit = evidence(asked, status, fields, directives).lifetime(policy).source
        == LifetimeSource::Explicit;
    if asked.method != MethodClass::Post || status != StatusCode::OK || !says_target || !is_explicit
    {
        return Storing::Decline(DeclineReason::Method);
    }
    answer(objection(asked, status, fields, policy))
}

fn answer(objection: Option<DeclineReason>) -> Storing {
    objection.map_or(Storing::Keep, Storing::Decline)
}

/// The first of RFC 9111 section 3's conditions that is not met.
fn objection(
    asked: &Asked,
    status: StatusCode,
    fields: &HeaderMap,
    policy: &Policy,
) -> Option<DeclineReason> {
    if asked.forbids_storing() {
        return Some(DeclineReason::RequestNoStore);
    }
    if let Some(reason) = unfit_status(status) {
        return Some(reason);
    }
    let directives = &CacheControl::of_response(fields, &policy.targeted_fields);
    if let Some(reason) = prohibition(directives, status) {
        return Some(reason);
    }
    if Vary::of(fields) == Vary::Any {
        return Some(DeclineReason::VaryAny);
    }
    if asked.credentials == Credentials::Present && !may_be_shared(directives) {
        return Some(DeclineReason::Authorization);
    }
    let sets_cookies = fields.keys().any(fields::sets_cookies);
    if sets_cookies && !takes_cookies(policy, directives) {
        return Some(DeclineReason::SetCookie);
    }
    if Tags::of(fields, policy).is_err() {
        return Some(DeclineReason::Tags);
    }
    uselessness(&evidence(asked, status, fields, directives), policy)
}

/// Statuses that are never kept. RFC 6585 says so of 428, 429, 431 and 511; the others are about
/// one request's timing, expectation, condition or range, and its key does not hold these.
fn unfit_status(status: StatusCode) -> Option<DeclineReason> {
    match status.as_u16() {
        100..=199 => Some(DeclineReason::Interim),
        304 => Some(DeclineReason::NotModified),
        408 | 412 | 416 | 417 | 425 | 428 | 429 | 431 | 511 => Some(DeclineReason::OnlyThisRequest),
        _ => None,
    }
}

/// What the response itself forbids (RFC 9111 sections 5.2.2.3, 5.2.2.5 and 5.2.2.7).
pub(crate) fn prohibition(directives: &CacheControl, status: StatusCode) -> Option<DeclineReason> {
    if directives.must_understand && !is_understood(status) {
        return Some(DeclineReason::NotUnderstood);
    }
    // `no-store` beside `must-understand` is for those who do not know the latter.
    if directives.no_store && !directives.must_understand {
        return Some(DeclineReason::NoStore);
    }
    directives.private.then_some(DeclineReason::Private)
}

/// Whether a response to a request with credentials says that it may be shared (RFC 9111 section
/// 3.5).
fn may_be_shared(directives: &CacheControl) -> bool {
    directives.public || directives.must_revalidate || directives.s_maxage.is_some()
}

/// Whether a cookie that is set may be set again for others.
pub(crate) fn takes_cookies(policy: &Policy, directives: &CacheControl) -> bool {
    match policy.set_cookie {
        SetCookie::Allow => true,
        SetCookie::KeepOut => directives.public || directives.s_maxage.is_some(),
    }
}

/// Why keeping it would be in vain: it could never be reused (RFC 9111 section 3, last point).
fn uselessness(evidence: &Evidence, policy: &Policy) -> Option<DeclineReason> {
    let lifetime = evidence.lifetime(policy);
    match lifetime.source {
        LifetimeSource::Explicit => {
            let is_reusable = can_be_validated(evidence.fields)
                || !evidence.directives.no_cache && lifetime.span > Duration::ZERO
                || has_stale_windows(evidence.directives, policy);
            (!is_reusable).then_some(DeclineReason::NeverReusable)
        }
        LifetimeSource::Operator => {
            (lifetime.span == Duration::ZERO).then_some(DeclineReason::Operator)
        }
        LifetimeSource::Heuristic => None,
        LifetimeSource::Nobody => without_lifetime(evidence, policy),
    }
}

fn without_lifetime(evidence: &Evidence, policy: &Policy) -> Option<DeclineReason> {
    if !evidence.is_cacheable_unsaid() {
        return Some(match evidence.status.is_server_error() {
            true => DeclineReason::ServerError,
            false => DeclineReason::Status,
        });
    }
    let is_kept = can_be_validated(evidence.fields) && policy.heuristic != Heuristic::Off;
    (!is_kept).then_some(DeclineReason::NoLifetime)
}

fn can_be_validated(fields: &HeaderMap) -> bool {
    fields.contains_key(header::ETAG) || fields.contains_key(header::LAST_MODIFIED)
}

fn has_stale_windows(directives: &CacheControl, policy: &Policy) -> bool {
    let spans = [directives.stale_while_revalidate, directives.stale_if_error];
    let has_own = spans.iter().flatten().any(|window| window.get() > 0);
    let given =
        policy.stale_when_unreachable.max(policy.stale_while_revalidate).max(policy.stale_if_error);
    !directives.closes_stale_windows() && (has_own || given > Duration::ZERO)
}

/// What the lifetime is found from while it matters only whether it is zero, and so not exactly
/// when the response was received.
fn evidence<'a>(
    asked: &Asked,
    status: StatusCode,
    fields: &'a HeaderMap,
    directives: &'a CacheControl,
) -> Evidence<'a> {
    let received_at = date::MODERN;
    Evidence { status, fields, directives, credentials: asked.credentials, received_at }
}

/// The statuses whose caching requirements are RFC 9110's alone, which we follow.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=206 | 300..=303 | 307 | 308 | 400..=407 | 409..=411 | 413..=415 | 421 | 422 | 426
            | 500..=505
    )
}

#[cfg(test)]
mod tests;
