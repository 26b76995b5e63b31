//! What a tier holds: a head that the caller understands, a body, and how long to keep both.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::body::Body;
use crate::clock::Timestamp;
use crate::purge::{Belongs, Epoch};

/// As many bytes of a key lie in it; more lie elsewhere, shared.
const SHORT_BYTES: usize = 30;

/// The whole cache key, compared in full. Cloning it allocates nothing.
#[derive(Clone)]
pub struct Key(Form);

// The same bytes always have the same form.
#[derive(Clone)]
enum Form {
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
    Long(Arc<[u8]>),
}

impl Key {
    /// The key's bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Form::Long(bytes) => bytes,
        }
    }

    /// Whether these are its bytes.
    ///
    /// They were just written, by parts: reading several parts at once, as a comparison of memory does,
    /// waits until they have reached the cache. So short ones are compared by words.
    #[inline]
    pub(crate) fn is(&self, other: &[u8]) -> bool {
        let own = self.as_bytes();
        if own.len() > SHORT_BYTES || own.len() != other.len() {
            return own == other;
        }
        match (own.last_chunk(), other.last_chunk()) {
            // The last word may have bytes of the one before it.
            (Some(own_last), Some(other_last)) => {
                let (owns, others) = (own.as_chunks().0.iter(), other.as_chunks().0);
                is_same_word(own_last, other_last)
                    && owns.zip(others).all(|(own, other)| is_same_word(own, other))
            }
            _ => own.iter().zip(other).all(|(own, other)| own == other),
        }
    }
}

fn is_same_word(one: &[u8; 8], other: &[u8; 8]) -> bool {
    u64::from_ne_bytes(*one) == u64::from_ne_bytes(*other)
}

impl From<&[u8]> for Key {
    fn from(from: &[u8]) -> Self {
        let mut bytes = [0; SHORT_BYTES];
        match bytes.get_mut(..from.len()) {
            Some(place) => {
                place.copy_from_slice(from);
                Self(Form::Short { len: from.len() as u8, bytes })
            }
            None => Self(Form::Long(from.into())),
        }
    }
}

/// The key of no bytes.
impl Default for Key {
    fn default() -> Self {
        Self(Form::Short { len: 0, bytes: [0; SHORT_BYTES] })
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

// A key compares and hashes as its bytes do, so that a look-up by borrowed bytes finds it.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Key {
    fn hash<S: Hasher>(&self, state: &mut S) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.as_bytes().escape_ascii())
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

    /// On which shelf of memory it lies.
    fn shelf(&self) -> Shelf {
        Shelf::Main
    }

    /// Tells to which groups the entry belongs, for purges, and on which paths it lies. `key` is the
    /// key under which it is kept, or was asked for; the answer must be the same for each of these.
    fn belongs<'a>(&'a self, _key: &'a [u8], _to: &mut Belongs<'a>) {}
}

/// Where in memory an entry lies. Each shelf has a bound of its own, so that what lies on one evicts
/// nothing from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Among all others.
    Main,
    /// Aside, where there is such a shelf: what is worth less, such as that something does not exist.
    Aside,
    /// Nowhere: it tells of a failure, and is for whoever asked.
    Nowhere,
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

/// A head and a body, and until when a tier keeps them. Shared, never changed but for that.
// In this order, so that all that a hit needs lies in as few lines as can be: what the head has in front is
// in one with the count of references.
#[repr(C)]
pub struct Entry<H> {
    /// The version of the purges at which it was last found alive; 0 for never.
    alive_at: AtomicU64,
    uses: AtomicU32,
    head: H,
    keep_until: AtomicU64,
    body: Body,
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
        let keep_until = AtomicU64::new(keep_until.as_millis());
        Self {
            head,
            body,
            keep_until,
            stamp,
            epoch,
            alive_at: AtomicU64::new(0),
            uses: AtomicU32::new(0),
        }
    }

    /// As it is, but fetched when these purges were known. An entry that is not told when it was
    /// fetched is unproven to every log.
    pub fn since(self, epoch: Epoch) -> Self {
        Self { epoch, ..self }
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

    /// How often memory gave it, about.
    pub fn uses(&self) -> u32 {
        self.uses.load(Ordering::Relaxed)
    }

    /// Memory gives it once more. Two at the same instant may count as one: an exact count would
    /// be fought for by all threads.
    pub(crate) fn note_use(&self) {
        self.uses.store(self.uses().saturating_add(1), Ordering::Relaxed);
    }

    /// As often used as half of another's uses: what it stands for was wanted then.
    pub(crate) fn inherit_uses(&self, older: &Self) {
        self.uses.store(older.uses() / 2, Ordering::Relaxed);
    }

    /// Whether it was found alive at this version of the purges.
    pub(crate) fn is_alive_at(&self, version: u64) -> bool {
        self.alive_at.load(Ordering::Relaxed) == version
    }

    /// Remembers that it was found alive. One who is late overwrites a newer version: then it is
    /// judged once more.
    pub(crate) fn note_alive(&self, version: u64) {
        self.alive_at.store(version, Ordering::Relaxed);
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

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_any_length_is_its_bytes_and_no_others() {
        for len in (0..70).chain([1_000]) {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let key = Key::from(bytes.as_slice());
            assert_eq!((key.as_bytes(), key.is(&bytes), &key.clone()), (&bytes[..], true, &key));
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] ^= 1;
                assert!(!key.is(&other) && key != Key::from(other.as_slice()), "{len} {at}");
                assert_eq!(key.cmp(&Key::from(other.as_slice())), bytes.cmp(&other));
            }
            assert!(!key.is(&[&bytes[..], &[0]].concat()));
        }
        assert_eq!(Key::default(), Key::from(&[][..]));
    }

    #[test]
    fn a_key_is_no_longer_than_half_a_line() {
        assert_eq!(size_of::<Key>(), 32);
    }
}
