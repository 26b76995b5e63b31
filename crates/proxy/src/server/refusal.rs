//! Requests that never reach the [`Service`](super::Service), and how they are told so.

use http::StatusCode;

use crate::http1::{Fault, FaultKind};

/// Why a request was refused by the server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The head is not HTTP as the RFC writes it (9112 2 to 5).
    Syntax,
    /// The target is not one that we take (9112 3.2).
    Target,
    /// `Host` is missing, doubled, not a host, or not the target's (9110 7.2).
    Host,
    /// The host is another certificate's than the connection's (9110 7.4).
    Misdirected,
    /// A peer that must say for whom it speaks has not, or not well.
    ProxyHeader,
    /// The client has as many connections as it may.
    Crowded,
    /// Where the body ends is not said clearly (9112 6).
    Framing,
    /// The head is too long or has too many fields.
    HeadTooLarge,
    /// The target is too long.
    TargetTooLong,
    /// The body is too long.
    BodyTooLarge,
    /// The version is not one that we speak.
    Version,
    /// CONNECT or TRACE.
    Method,
    /// An expectation other than `100-continue` (9110 10.1.1).
    Expectation,
    /// The head took too long.
    HeadTimeout,
    /// The body said nothing for too long.
    BodyTimeout,
    /// Too many exchanges at once.
    Overload,
    /// The exchange panicked, or its answer was none that can be sent.
    Failure,
}

impl RefusalReason {
    /// All of them, in the order of their declaration.
    pub const ALL: [RefusalReason; 17] = [
        RefusalReason::Syntax,
        RefusalReason::Target,
        RefusalReason::Host,
        RefusalReason::Misdirected,
        RefusalReason::ProxyHeader,
        RefusalReason::Crowded,
        RefusalReason::Framing,
        RefusalReason::HeadTooLarge,
        RefusalReason::TargetTooLong,
        RefusalReason::BodyTooLarge,
        RefusalReason::Version,
        RefusalReason::Method,
        RefusalReason::Expectation,
        RefusalReason::HeadTimeout,
        RefusalReason::BodyTimeout,
        RefusalReason::Overload,
        RefusalReason::Failure,
    ];

    /// Its name as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            RefusalReason::Syntax => "syntax",
            RefusalReason::Target => "target",
            RefusalReason::Host => "host",
            RefusalReason::Misdirected => "misdirected",
            RefusalReason::ProxyHeader => "proxy_header",
            RefusalReason::Crowded => "crowded",
            RefusalReason::Framing => "framing",
            RefusalReason::HeadTooLarge => "head_too_large",
            RefusalReason::TargetTooLong => "target_too_long",
            RefusalReason::BodyTooLarge => "body_too_large",
            RefusalReason::Version => "version",
            RefusalReason::Method => "method",
            RefusalReason::Expectation => "expectation",
            RefusalReason::HeadTimeout => "head_timeout",
            RefusalReason::BodyTimeout => "body_timeout",
            RefusalReason::Overload => "overload",
            RefusalReason::Failure => "failure",
        }
    }

    /// Whether a request refused for that is malformed, which ends its stream (9113 8.1.1, 8.2.1,
    /// 8.3.1, 8.5; 9114 4.1.2).
    pub(super) fn is_malformed(self) -> bool {
        matches!(self, RefusalReason::Syntax | RefusalReason::Framing | RefusalReason::Host)
    }

    fn status(self) -> StatusCode {
        match self {
            RefusalReason::Syntax
            | RefusalReason::Target
            | RefusalReason::Host
            | RefusalReason::ProxyHeader
            | RefusalReason::Framing => StatusCode::BAD_REQUEST,
            RefusalReason::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            RefusalReason::Crowded => StatusCode::TOO_MANY_REQUESTS,
            RefusalReason::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            RefusalReason::TargetTooLong => StatusCode::URI_TOO_LONG,
            RefusalReason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RefusalReason::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            RefusalReason::Method => StatusCode::NOT_IMPLEMENTED,
            RefusalReason::Expectation => StatusCode::EXPECTATION_FAILED,
            RefusalReason::HeadTimeout | RefusalReason::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            RefusalReason::Overload => StatusCode::SERVICE_UNAVAILABLE,
            RefusalReason::Failure => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A refusal: told to the client in one line, counted by its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: RefusalReason,
    /// What was wrong, in one line without a line end.
    pub(super) text: &'static str,
}

impl Refusal {
    pub(super) fn new(reason: RefusalReason, text: &'static str) -> Self {
        Refusal { status: reason.status(), reason, text }
    }

    /// The same with another status than the reason has by itself.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Refusal { status, ..self }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let reason = match fault.kind {
            FaultKind::Syntax => RefusalReason::Syntax,
            FaultKind::Framing => RefusalReason::Framing,
            FaultKind::LineTooLong => RefusalReason::TargetTooLong,
            FaultKind::BlockTooLarge => RefusalReason::HeadTooLarge,
            FaultKind::BodyTooLong => RefusalReason::BodyTooLarge,
        };
        Refusal::new(reason, fault.text)
    }
}
