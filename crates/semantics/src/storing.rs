//! Question 3: may this response be kept? (RFC 9111 sections 3 to 3.5.)

use http::header::HeaderMap;
use http::{StatusCode, Uri};

use crate::policy::Policy;
use crate::request::Asked;

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
    /// Its method's responses are not reused.
    Method,
}

/// Whether a response may be kept as an answer to requests like this one.
pub fn storing(asked: &Asked, status: StatusCode, fields: &HeaderMap, policy: &Policy) -> Storing {
    unimplemented!()
}

/// The same for a 206, of which the caller knows the rest (RFC 9111 section 3.3).
pub fn storing_partial(asked: &Asked, fields: &HeaderMap, policy: &Policy) -> Storing {
    unimplemented!()
}

/// Whether a response to POST may be kept as an answer to a later GET (RFC 9110 section 9.3.3).
pub fn storing_for_get(
    asked: &Asked,
    target: &Uri,
    status: StatusCode,
    fields: &HeaderMap,
    policy: &Policy,
) -> Storing {
    unimplemented!()
}
