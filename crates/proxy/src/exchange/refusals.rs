//! The refusals that an exchange itself comes to.

use forebay_semantics::status::Detail;
use http::StatusCode;

use crate::ask::Refusal;

/// There are as many requests under way as may be.
pub(super) const OVERLOADED: Refusal = Refusal {
    status: StatusCode::SERVICE_UNAVAILABLE,
    words: "too many requests are under way",
    detail: Detail::TooManyRequests,
};

/// A body that is part of the key did not come to its end.
pub(super) const BODY_CUT: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    words: "the request body ended early",
    detail: Detail::RequestRefused,
};

/// The client wants nothing from the origin (RFC 9111 section 5.2.1.7).
pub(super) const ONLY_IF_CACHED: Refusal = Refusal {
    status: StatusCode::GATEWAY_TIMEOUT,
    words: "nothing stored may answer, and the request asks for nothing else",
    detail: Detail::OnlyIfCached,
};

/// What cannot be has been.
pub(super) const OWN_FAILURE: Refusal = Refusal {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    words: "the gateway failed",
    detail: Detail::OwnFailure,
};
