//! What is known of one exchange when it is over: what logs, metrics and traces are told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use forebay_semantics::coding::Coding;
use forebay_semantics::status::{CacheStatus, Forward, Source};
use http::{Method, StatusCode, Version};

use crate::traceparent::Here;

/// One exchange as the log and the metrics see it.
pub struct Record {
    /// When its request head was read.
    pub began: SystemTime,
    /// Who asked; `None` over a Unix socket.
    pub client: Option<SocketAddr>,
    /// The request's method.
    pub method: Method,
    /// The version of HTTP that its client spoke.
    pub version: Version,
    /// The target URI as it was asked for.
    pub url: String,
    /// The route that it took, if one fits.
    pub route: Option<Arc<str>>,
    /// The final status.
    pub status: StatusCode,
    /// Bytes of the body that went to the client.
    pub body_bytes: u64,
    /// From the request head to the end of the answer.
    pub duration: Duration,
    /// What the cache did.
    pub cache: CacheStatus<'static>,
    /// What went wrong on the way to the origin, if anything did.
    pub failure: Option<String>,
    /// The trace that it belongs to: the client's, or our own.
    pub trace: Option<String>,
    /// Where it stands in that, if traces are on.
    pub here: Option<Here>,
    /// The coding in which it was sent, where that is our own doing.
    pub coding: Option<Coding>,
}

/// What became of a request, in one word for a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered from a fresh stored response.
    Hit,
    /// Answered from a stale stored response without waiting for the origin.
    Stale,
    /// A stored response was found good by its origin.
    Revalidated,
    /// Answered by a fetch that another request had caused.
    Collapsed,
    /// Fetched.
    Miss,
    /// Not looked up.
    Bypass,
    /// Refused or failed here.
    Refused,
}

impl Outcome {
    /// Every outcome, in the order of [`Outcome::place`].
    pub const ALL: [Outcome; 7] = [
        Outcome::Hit,
        Outcome::Stale,
        Outcome::Revalidated,
        Outcome::Collapsed,
        Outcome::Miss,
        Outcome::Bypass,
        Outcome::Refused,
    ];

    /// The word for logs and labels.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Hit => "hit",
            Outcome::Stale => "stale",
            Outcome::Revalidated => "revalidated",
            Outcome::Collapsed => "collapsed",
            Outcome::Miss => "miss",
            Outcome::Bypass => "bypass",
            Outcome::Refused => "refused",
        }
    }

    /// Its place in [`Outcome::ALL`].
    pub fn place(self) -> usize {
        self as usize
    }
}

impl Record {
    /// The line of `Cache-Status` that the client got.
    pub fn cache_status(&self) -> String {
        let mut line = Vec::with_capacity(64);
        self.cache.write(&mut line);
        String::from_utf8_lossy(&line).into_owned()
    }
}

impl From<&CacheStatus<'_>> for Outcome {
    fn from(said: &CacheStatus<'_>) -> Self {
        let is_stale = said.ttl.is_some_and(|ttl| ttl < 0);
        match said.source {
            Source::Own => Outcome::Refused,
            Source::Hit if is_stale => Outcome::Stale,
            Source::Hit => Outcome::Hit,
            Source::Forward(_) if said.collapsed => Outcome::Collapsed,
            Source::Forward(Forward::Bypass | Forward::Method) => Outcome::Bypass,
            Source::Forward(_) if said.fwd_status == Some(StatusCode::NOT_MODIFIED) => {
                Outcome::Revalidated
            }
            Source::Forward(Forward::Stale) if is_stale => Outcome::Stale,
            Source::Forward(_) => Outcome::Miss,
        }
    }
}
