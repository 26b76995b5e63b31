//! The bytes of values that are on their way into the tiers below memory: made once, for all of them.
//!
//! A value goes into all tiers at once. Whichever needs its bytes first has them made; the others that put
//! the same entry meanwhile share them, or the failure. Nothing is held for whoever comes later.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::body::Body;
use crate::entry::{Key, Stamp};
use crate::error::TierFailure;

/// What is being put now. It has as many slots as entries are stored at once, which is bounded
/// (`Options::puts_max`).
#[derive(Default)]
pub(crate) struct Encodings {
    slots: Mutex<HashMap<(Key, Stamp), Weak<Encoding>>>,
}

/// The bytes of one value, once somebody needs them. Dropped by the last who holds it, they go.
pub(crate) struct Encoding {
    made: OnceLock<Result<Body, TierFailure>>,
    slot: (Key, Stamp),
    among: Arc<Encodings>,
}

impl Encodings {
    /// That of the entry with this stamp: the one that is held, or a new one.
    pub(crate) fn of(self: &Arc<Self>, key: &Key, stamp: Stamp) -> Arc<Encoding> {
        let slot = (key.clone(), stamp);
        let mut slots = self.slots.lock();
        if let Some(held) = slots.get(&slot).and_then(Weak::upgrade) {
            return held;
        }
        let (made, among) = (OnceLock::new(), Arc::clone(self));
        let encoding = Arc::new(Encoding { made, slot: slot.clone(), among });
        slots.insert(slot, Arc::downgrade(&encoding));
        encoding
    }
}

impl Encoding {
    /// The bytes; whoever asks first makes them.
    pub(crate) fn body(
        &self,
        make: impl FnOnce() -> Result<Body, TierFailure>,
    ) -> Result<Body, TierFailure> {
        self.made.get_or_init(make).clone()
    }
}

impl Drop for Encoding {
    fn drop(&mut self) {
        let mut slots = self.among.slots.lock();
        // Another may have taken the slot since.
        if slots.get(&self.slot).is_some_and(|held| held.strong_count() == 0) {
            slots.remove(&self.slot);
        }
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn who_puts_the_same_entry_at_once_shares_its_bytes_and_who_comes_later_does_not() {
        let (encodings, key) = (Arc::<Encodings>::default(), Key::from(&b"a"[..]));
        let stamp = Stamp::fresh();
        let made = std::cell::Cell::new(0);
        let make = || {
            made.set(made.get() + 1);
            Err(TierFailure::new("cannot be encoded"))
        };
        let (one, other) = (encodings.of(&key, stamp), encodings.of(&key, stamp));
        assert!(one.body(make).is_err() && other.body(make).is_err());
        assert!(encodings.of(&key, Stamp::fresh()).body(make).is_err(), "another entry");
        assert_eq!(made.get(), 2);
        drop(one);
        assert_eq!(encodings.slots.lock().len(), 1, "the other holds it");
        drop(other);
        assert!(encodings.slots.lock().is_empty());
        assert!(encodings.of(&key, stamp).body(make).is_err());
        assert_eq!(made.get(), 3);
    }
}
