//! What went wrong on the way to an origin: which step, whose fault, which status.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

/// One fetch that failed. Cheap to clone, because every follower of a flight is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchFailure {
    /// The step that failed.
    pub kind: FailureKind,
    /// The member that was asked, as `host:port` or a socket's path.
    pub member: Arc<str>,
    /// What the system, the library or the bound said, where it adds something.
    pub cause: Option<Arc<str>>,
    /// In how long it may be better, where that is known.
    pub retry_after: Option<Duration>,
}

/// The steps of a fetch that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The member's name has no address.
    Resolve,
    /// No address of the member may be connected to (`[destinations]`).
    Refused,
    /// No connection came about.
    Connect,
    /// Not within `connect_timeout`.
    ConnectTimeout,
    /// The TLS handshake failed, or the certificate is not to be trusted.
    Tls,
    /// Every connection that may be made is in use.
    PoolFull,
    /// As many requests as may be are with the member, and too many or too long wait for it.
    MemberFull,
    /// No member may be asked: all are down, at rest, or were tried.
    NoMember,
    /// The request cannot be said in the member's version of HTTP.
    Unsendable,
    /// The client's body ended early, so the request did too.
    RequestCut,
    /// The origin stopped taking the request's body.
    SendTimeout,
    /// The connection ended before the response's head.
    HeadCut,
    /// No response head within `read_timeout`.
    HeadTimeout,
    /// What came back is not HTTP, or its head is larger than the bound.
    Malformed,
    /// The response's body ended before its end.
    BodyCut,
    /// The response's body paused for longer than `read_timeout`.
    BodyTimeout,
    /// The origin said 101, and the connection did not become a tunnel.
    Tunnel,
}

/// Who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The origin, or the way to it.
    Origin,
    /// This gateway: a bound of ours.
    Gateway,
    /// The client that sent the request.
    Client,
}

impl FetchFailure {
    /// A failure of which nothing more is known.
    pub fn new(kind: FailureKind, member: &Arc<str>) -> Self {
        FetchFailure { kind, member: member.clone(), cause: None, retry_after: None }
    }

    /// A failure with what caused it.
    pub fn because(kind: FailureKind, member: &Arc<str>, cause: impl fmt::Display) -> Self {
        let cause = Some(Arc::from(cause.to_string()));
        FetchFailure { kind, member: member.clone(), cause, retry_after: None }
    }

    /// The same, with the time after which it may be better.
    pub fn until(self, retry_after: Duration) -> Self {
        FetchFailure { retry_after: Some(retry_after), ..self }
    }

    /// Whole seconds after which a client may ask again: at least one.
    pub fn retry_after_seconds(&self) -> u64 {
        let span = self.retry_after.unwrap_or_default();
        (span.as_secs() + u64::from(span.subsec_nanos() > 0)).max(1)
    }

    /// The status for a client that cannot be given anything better (RFC 9110 sections 15.5.1
    /// and 15.6.3 to 15.6.5).
    pub fn status(&self) -> StatusCode {
        match self.kind {
            FailureKind::ConnectTimeout
            | FailureKind::SendTimeout
            | FailureKind::HeadTimeout
            | FailureKind::BodyTimeout => StatusCode::GATEWAY_TIMEOUT,
            FailureKind::PoolFull | FailureKind::MemberFull | FailureKind::NoMember => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            FailureKind::RequestCut | FailureKind::Unsendable => StatusCode::BAD_REQUEST,
            FailureKind::Resolve
            | FailureKind::Refused
            | FailureKind::Connect
            | FailureKind::Tls
            | FailureKind::HeadCut
            | FailureKind::Malformed
            | FailureKind::BodyCut
            | FailureKind::Tunnel => StatusCode::BAD_GATEWAY,
        }
    }

    /// One word for `Cache-Status`, logs and metrics.
    pub fn detail(&self) -> &'static str {
        match self.kind {
            FailureKind::Resolve => "resolve-failed",
            FailureKind::Refused => "destination-refused",
            FailureKind::Connect => "connect-failed",
            FailureKind::ConnectTimeout => "connect-timeout",
            FailureKind::Tls => "tls-failed",
            FailureKind::PoolFull => "pool-full",
            FailureKind::MemberFull => "member-full",
            FailureKind::NoMember => "no-member",
            FailureKind::Unsendable => "unsendable",
            FailureKind::RequestCut => "request-cut",
            FailureKind::SendTimeout => "send-timeout",
            FailureKind::HeadCut => "head-cut",
            FailureKind::HeadTimeout => "head-timeout",
            FailureKind::Malformed => "malformed",
            FailureKind::BodyCut => "body-cut",
            FailureKind::BodyTimeout => "body-timeout",
            FailureKind::Tunnel => "tunnel-failed",
        }
    }

    /// Who has to mend it.
    pub fn whose(&self) -> Whose {
        match self.kind {
            FailureKind::PoolFull | FailureKind::MemberFull | FailureKind::Refused => {
                Whose::Gateway
            }
            FailureKind::RequestCut | FailureKind::Unsendable => Whose::Client,
            FailureKind::Resolve
            | FailureKind::Connect
            | FailureKind::ConnectTimeout
            | FailureKind::Tls
            | FailureKind::NoMember
            | FailureKind::SendTimeout
            | FailureKind::HeadCut
            | FailureKind::HeadTimeout
            | FailureKind::Malformed
            | FailureKind::BodyCut
            | FailureKind::BodyTimeout
            | FailureKind::Tunnel => Whose::Origin,
        }
    }
}

impl FailureKind {
    /// What was tried, up to the member's name.
    fn tried(self) -> &'static str {
        match self {
            FailureKind::Resolve => "cannot resolve",
            FailureKind::Refused
            | FailureKind::Connect
            | FailureKind::ConnectTimeout
            | FailureKind::PoolFull => "cannot connect to",
            FailureKind::Tls => "cannot speak TLS with",
            FailureKind::MemberFull => "cannot send a further request to",
            FailureKind::NoMember => "cannot choose a member of",
            FailureKind::Unsendable | FailureKind::RequestCut | FailureKind::SendTimeout => {
                "cannot send the request to"
            }
            FailureKind::HeadCut | FailureKind::HeadTimeout | FailureKind::Malformed => {
                "cannot read the response of"
            }
            FailureKind::BodyCut | FailureKind::BodyTimeout => "cannot read the response body of",
            FailureKind::Tunnel => "cannot open a tunnel to",
        }
    }

    /// Why not, when nobody said more.
    fn reason(self) -> &'static str {
        match self {
            FailureKind::Resolve => "the name has no address",
            FailureKind::Refused => "the destination is not allowed",
            FailureKind::Connect => "no connection came about",
            FailureKind::ConnectTimeout => "connect_timeout passed",
            FailureKind::Tls => "the handshake failed",
            FailureKind::PoolFull => "all connections are in use",
            FailureKind::MemberFull => "it has as many as it may",
            FailureKind::NoMember => "all are down or at rest",
            FailureKind::Unsendable => "HTTP/2 has no way to say it",
            FailureKind::RequestCut => "its body ended early",
            FailureKind::SendTimeout => "send_timeout passed without progress",
            FailureKind::HeadCut => "the connection ended before the head",
            FailureKind::HeadTimeout => "read_timeout passed before the head",
            FailureKind::Malformed => "it is not HTTP",
            FailureKind::BodyCut => "the connection ended before it did",
            FailureKind::BodyTimeout => "read_timeout passed without a byte",
            FailureKind::Tunnel => "the connection ended",
        }
    }
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.cause.as_deref().unwrap_or(self.kind.reason());
        write!(f, "{} `{}`: {reason}", self.kind.tried(), self.member)
    }
}

impl std::error::Error for FetchFailure {}

#[cfg(test)]
mod tests;
