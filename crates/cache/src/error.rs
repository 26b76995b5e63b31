//! What can go wrong, each with the one who must decide what follows.

use std::borrow::Cow;
use std::fmt;

/// A body that ended before it was whole: an error to every reader, never a clean end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    reason: Cow<'static, str>,
}

impl Broken {
    /// A break for this reason.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }

    /// Why the body broke.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "body ended before it was whole: {}", self.reason)
    }
}

impl std::error::Error for Broken {}

/// The body is not kept and its last reader has left: whoever writes it may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NobodyReads;

impl fmt::Display for NobodyReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot pass on the body: it is not kept and nobody reads it")
    }
}

impl std::error::Error for NobodyReads {}

/// A tier could not do what it was asked: for the caller of the cache a miss, and a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierFailure {
    what: Cow<'static, str>,
}

impl TierFailure {
    /// A failure, told as what was tried, on what, and why not.
    pub fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into() }
    }
}

impl fmt::Display for TierFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for TierFailure {}
