//! What a tier holds: a head that the caller understands, a body, and how long to keep both.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::body::Body;
use crate::clock::Timestamp;

/// The whole cache key, compared in full. Cloning it copies nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

// A key hashes as its bytes do, so that a look-up by borrowed bytes finds it.
impl Hash for Key {
    fn hash<S: Hasher>(&self, state: &mut S) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

/// What the caller keeps beside the body: for HTTP the status, the fields and what they mean.
pub trait Head: Send + Sync + 'static {
    /// The bytes that the head keeps alive outside of its own size. They must not change.
    fn weight_bytes(&self) -> usize;

    /// Whether it is of a later moment than the other, under the same key. Of two tiers' entries the
    /// newer one counts.
    fn is_newer_than(&self, _other: &Self) -> bool {
        true
    }
}

/// What tells an entry from every other that was ever under its key, in all tiers and on all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// A new one, by chance.
    pub fn fresh() -> Self {
        Self(rand::random())
    }

    /// The one that was stored as this number.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// As it is stored.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A place in the log of purges: when it was written, and its number among those of that moment.
/// An entry bears that of the moment at which its fetch began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// Milliseconds by the log's own clock.
    pub millis: u64,
    /// The number among those of one millisecond.
    pub number: u64,
}

/// A head and a body, and until when a tier keeps them. Shared, never changed but for that.
pub struct Entry<H> {
    head: H,
    body: Body,
    keep_until: AtomicU64,
    stamp: Stamp,
    epoch: Epoch,
}

impl<H> Entry<H> {
    /// A new entry that a tier may keep until then.
    pub fn new(head: H, body: Body, keep_until: Timestamp) -> Self {
        Self::stored(head, body, keep_until, Stamp::fresh(), Epoch::default())
    }

    /// An entry as a tier had stored it.
    pub fn stored(head: H, body: Body, keep_until: Timestamp, stamp: Stamp, epoch: Epoch) -> Self {
        Self { head, body, keep_until: AtomicU64::new(keep_until.as_millis()), stamp, epoch }
    }

    /// What tells it from every other under its key.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The purges that were known when its fetch began.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The caller's part.
    pub fn head(&self) -> &H {
        &self.head
    }

    /// The bytes, which may still be arriving.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Until when it is kept.
    pub fn keep_until(&self) -> Timestamp {
        Timestamp::from_millis(self.keep_until.load(Ordering::Relaxed))
    }

    /// Keeps it longer, as while a slow refresh runs. It is never kept shorter by this.
    pub fn extend_keep(&self, until: Timestamp) {
        self.keep_until.fetch_max(until.as_millis(), Ordering::Relaxed);
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.keep_until() <= now
    }
}

impl<H> fmt::Debug for Entry<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Entry");
        shown.field("body", &self.body).field("keep_until", &self.keep_until());
        shown.finish_non_exhaustive()
    }
}
