//! What a request found in the cache and could not use as it was.

use forebay_cache::Key;

use crate::ask::Ask;
use crate::kept::{Found, KeptEntry, KeptResponse};

/// The first byte of the key of a flight for a variant that is not there yet; no primary key and
/// no variant's key begins with it.
const WANTED_VARIANT: u8 = 0xfe;

/// What was found: a response to validate, an index without a variant that fits, or nothing.
#[derive(Clone, Default)]
pub struct Seen {
    entry: Option<KeptEntry>,
    key: Option<Key>,
    index: Option<KeptEntry>,
}

impl Seen {
    /// A response, under its own key where it is a variant of `index`.
    pub fn response(entry: KeptEntry, index: Option<KeptEntry>, key: Option<Key>) -> Self {
        Seen { entry: Some(entry), key, index }
    }

    /// Variants, none of which fits.
    pub fn no_variant(index: KeptEntry) -> Self {
        Seen { entry: None, key: None, index: Some(index) }
    }

    /// The response's entry.
    pub fn entry(&self) -> Option<&KeptEntry> {
        self.entry.as_ref()
    }

    /// The index of variants.
    pub fn index(&self) -> Option<&KeptEntry> {
        self.index.as_ref()
    }

    /// The response, as it is stored.
    pub fn stored(&self) -> Option<(&KeptEntry, &KeptResponse)> {
        let entry = self.entry.as_ref()?;
        Some((entry, entry.head().response()?))
    }

    /// The key under which the response lies.
    pub fn own_key(&self, ask: &Ask) -> Key {
        self.key.clone().unwrap_or_else(|| Key::from(ask.key.as_slice()))
    }

    /// The key under which those meet who want the same: the response's own, else that of the
    /// variant that is wanted, else the primary one.
    pub fn flight_key(&self, ask: &Ask) -> Key {
        let index = self.index.as_ref().filter(|_| self.entry.is_none());
        let Some(variants) = index.and_then(|index| index.head().variants()) else {
            return self.own_key(ask);
        };
        let mut bytes = vec![WANTED_VARIANT];
        bytes.extend_from_slice(&ask.key);
        variants.write_wanted(&ask.fields, &mut bytes);
        Key::from(bytes.as_slice())
    }

    /// Whether a later look found a response that this one did not see.
    pub fn is_outdated_by(&self, found: &Found) -> bool {
        let Found::Response { entry, .. } = found else { return false };
        !self.entry.as_ref().is_some_and(|seen| std::sync::Arc::ptr_eq(seen, entry))
    }
}
