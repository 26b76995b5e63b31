//! Why a call to Redis brought nothing.

use std::fmt;

use crate::error::TierFailure;

/// Why a call brought nothing. In every case the caller goes on without Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFailure {
    /// There is no connection now, or the breaker is open; nothing was sent.
    Away,
    /// Too many calls are under way; nothing was sent.
    Busy,
    /// It took too long. It may still be carried out.
    Late,
    /// The connection broke. It may have been carried out.
    Cut(String),
    /// The server said no: its words.
    Refused(String),
}

impl fmt::Display for LinkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away => f.write_str("cannot ask redis: not connected"),
            Self::Busy => f.write_str("cannot ask redis: too many calls are under way"),
            Self::Late => f.write_str("cannot wait for redis: its time is over"),
            Self::Cut(why) => write!(f, "cannot ask redis: connection lost: {why}"),
            Self::Refused(words) => write!(f, "cannot have redis do it: {words}"),
        }
    }
}

impl std::error::Error for LinkFailure {}

impl From<LinkFailure> for TierFailure {
    fn from(failure: LinkFailure) -> Self {
        match failure {
            LinkFailure::Away => Self::new("cannot ask redis: not connected"),
            failure => Self::new(failure.to_string()),
        }
    }
}
