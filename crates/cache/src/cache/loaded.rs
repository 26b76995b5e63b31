//! What a loader returns, and for how long it is good.

use std::time::Duration;

/// How long a value is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// For so long.
    For(Duration),
    /// Until it is deleted, invalidated, purged or evicted.
    Forever,
    /// Not at all: it is for those who wait for it now.
    DontCache,
}

impl From<Duration> for Ttl {
    /// No time at all is [`Ttl::DontCache`].
    fn from(span: Duration) -> Self {
        if span.is_zero() { Ttl::DontCache } else { Ttl::For(span) }
    }
}

/// A loaded value, or that there is none, with its own terms where it has any.
///
/// A loader that returns a value, or an `Option` of one, needs none of this: both become one.
///
/// ```
/// use forebay_cache::{Loaded, minutes};
///
/// let eu = Loaded::of("a user").ttl(minutes(1)).tag("eu");
/// let nobody: Loaded<&str> = Loaded::nothing();
/// # drop((eu, nobody));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<V> {
    pub(crate) value: Option<V>,
    pub(crate) ttl: Option<Ttl>,
    pub(crate) tags: Vec<String>,
    pub(crate) weight: Option<usize>,
}

impl<V> Loaded<V> {
    /// This value.
    pub fn of(value: V) -> Self {
        Self::from(value)
    }

    /// That there is no such value; it is cached too, for the negative lifetime.
    pub fn nothing() -> Self {
        Self { value: None, ttl: None, tags: Vec::new(), weight: None }
    }

    /// How long it is fresh, whatever the cache or the call says.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }

    /// A name by which it can be purged together with others.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Names by which it can be purged together with others.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// The bytes that it takes in memory, whatever the cache's own weigher says.
    pub fn weight(mut self, bytes: usize) -> Self {
        self.weight = Some(bytes);
        self
    }
}

impl<V> From<V> for Loaded<V> {
    fn from(value: V) -> Self {
        Self { value: Some(value), ..Self::nothing() }
    }
}

impl<V> From<Option<V>> for Loaded<V> {
    fn from(value: Option<V>) -> Self {
        Self { value, ..Self::nothing() }
    }
}
