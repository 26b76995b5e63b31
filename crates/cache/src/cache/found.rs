//! What a call found: the value or that there is none, where it came from, and how old it is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// This process's memory.
    Memory,
    /// This machine's disk.
    Disk,
    /// Redis, where any process may have put it.
    Redis,
    /// The loader, called now by this call or by another that it waited for.
    Loader,
}

/// Whether a value is within its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// It is not, and is given all the same: while it is loaded anew, or since that failed or is slow.
    Stale,
}

/// What is left of a lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// So much.
    For(Duration),
    /// Nothing, since so long.
    Over(Duration),
    /// It does not end.
    Forever,
}

/// What was found under a key.
///
/// A value of `None` says that the loader found nothing, which is cached as well; that nothing is
/// *cached* is told otherwise: [`Cache::get`](crate::Cache::get) then has no `Found` at all.
#[non_exhaustive]
pub struct Found<V> {
    /// The value; `None` if it does not exist.
    pub value: Option<Arc<V>>,
    /// Where it came from.
    pub from: Level,
    /// Whether it is within its lifetime.
    pub freshness: Freshness,
    /// How long ago its load ended.
    pub age: Duration,
    /// What is left of its lifetime.
    pub left: Left,
}

impl Left {
    pub(crate) fn at(now: Timestamp, fresh_until: Timestamp) -> Self {
        match fresh_until {
            Timestamp::FAR => Left::Forever,
            _ if now < fresh_until => Left::For(fresh_until.since(now)),
            _ => Left::Over(now.since(fresh_until)),
        }
    }

    /// In milliseconds, below zero once it is over; the highest number where it does not end.
    pub fn as_millis(self) -> i64 {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        match self {
            Left::For(span) => millis(span),
            Left::Over(span) => -millis(span),
            Left::Forever => i64::MAX,
        }
    }
}

impl<V> Found<V> {
    /// Whether it is within its lifetime.
    pub fn is_fresh(&self) -> bool {
        self.freshness == Freshness::Fresh
    }
}

impl<V> Clone for Found<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ..*self }
    }
}

impl<V: fmt::Debug> fmt::Debug for Found<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Found");
        shown.field("value", &self.value).field("from", &self.from);
        shown.field("freshness", &self.freshness).field("left", &self.left).finish()
    }
}

impl Level {
    /// The level of a tier with this name.
    pub(crate) fn of_tier(name: &str) -> Self {
        match name {
            "memory" => Level::Memory,
            "redis" => Level::Redis,
            _ => Level::Disk,
        }
    }

    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Memory => "memory",
            Level::Disk => "disk",
            Level::Redis => "redis",
            Level::Loader => "loader",
        }
    }
}
