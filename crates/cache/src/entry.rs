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
}

/// A head and a body, and until when a tier keeps them. Shared, never changed but for that.
pub struct Entry<H> {
    head: H,
    body: Body,
    keep_until: AtomicU64,
}

impl<H> Entry<H> {
    /// An entry that a tier may keep until then.
    pub fn new(head: H, body: Body, keep_until: Timestamp) -> Self {
        Self { head, body, keep_until: AtomicU64::new(keep_until.as_millis()) }
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
