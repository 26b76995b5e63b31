//! What a call found: the value or that there is none, where it came from, and how old it is.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::kept::{Content, Kept};
use crate::clock::Timestamp;
use crate::entry::Entry;

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
    pub value: Option<Value<V>>,
    /// Where it came from.
    pub from: Level,
    /// Whether it is within its lifetime.
    pub freshness: Freshness,
    // Spans are worked out for who asks for them.
    /// When it was found that there is nothing. A value itself knows since when it is.
    nothing_since: Timestamp,
    until: Timestamp,
    now: Timestamp,
}

/// A value that is shared with the cache: it reads as a `&V`, and cloning it copies nothing. It lives as
/// long as anybody has it, whatever the cache does meanwhile.
// It is the entry itself, so that a hit counts one reference and an entry is one allocation.
pub struct Value<V>(Arc<Entry<Kept<V>>>);

impl<V> Value<V> {
    /// What an entry holds; `None` if it tells that there is nothing.
    #[inline]
    pub(crate) fn of(entry: Arc<Entry<Kept<V>>>) -> Option<Self> {
        match entry.head().content {
            Content::Value(_) => Some(Self(entry)),
            Content::Absent | Content::NotTransformed(_) => None,
        }
    }

    /// Whether both are the one value, not only equal ones.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        Arc::ptr_eq(&this.0, &other.0)
    }
}

impl<V> Deref for Value<V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        match &self.0.head().content {
            Content::Value(value) => value,
            Content::Absent | Content::NotTransformed(_) => {
                unreachable!(
                    "it is made of entries with a value, and what they hold does not change"
                )
            }
        }
    }
}

impl<V> AsRef<V> for Value<V> {
    fn as_ref(&self) -> &V {
        self
    }
}

impl<V> Clone for Value<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V: PartialEq> PartialEq for Value<V> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<V: Eq> Eq for Value<V> {}

impl<V: fmt::Debug> fmt::Debug for Value<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<V: fmt::Display> fmt::Display for Value<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Left {
    fn at(now: Timestamp, fresh_until: Timestamp) -> Self {
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
    /// What an entry holds now; `until` is when it ceases to be fresh.
    #[inline]
    pub(crate) fn of(
        entry: Arc<Entry<Kept<V>>>,
        from: Level,
        freshness: Freshness,
        until: Timestamp,
        now: Timestamp,
    ) -> Self {
        let nothing_since = match &entry.head().content {
            Content::Value(_) => Timestamp::default(),
            Content::Absent | Content::NotTransformed(_) => entry.head().terms.made_at,
        };
        Self { value: Value::of(entry), from, freshness, nothing_since, until, now }
    }

    /// How long ago its load ended.
    pub fn age(&self) -> Duration {
        let made_at = self.value.as_ref().map(|value| value.0.head().terms.made_at);
        self.now.since(made_at.unwrap_or(self.nothing_since))
    }

    /// What is left of its lifetime.
    pub fn left(&self) -> Left {
        Left::at(self.now, self.until)
    }

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
        shown.field("freshness", &self.freshness).field("left", &self.left()).finish()
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
