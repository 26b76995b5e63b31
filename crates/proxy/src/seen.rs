//! What a request found in the cache and could not use as it was.

use forebay_cache::mechanism::{Key, Stamp};

use crate::ask::Ask;
use crate::kept::{Found, KeptEntry, KeptResponse, wanted_key};

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
        let mut bytes = wanted_key(&ask.key);
        variants.write_wanted(&ask.fields, &mut bytes);
        Key::from(bytes.as_slice())
    }

    /// The key of the entry that decides whether a fetch is needed, and that entry's stamp.
    pub fn watched(&self, ask: &Ask) -> (Key, Option<Stamp>) {
        match (&self.entry, &self.index) {
            (Some(entry), _) => (self.own_key(ask), Some(entry.stamp())),
            (None, index) => {
                let stamp = index.as_ref().map(|index| index.stamp());
                (Key::from(ask.key.as_slice()), stamp)
            }
        }
    }

    /// Whether a later look found a response that this one did not see.
    pub fn is_outdated_by(&self, found: &Found) -> bool {
        let Found::Response { entry, .. } = found else { return false };
        !self.entry.as_ref().is_some_and(|seen| std::sync::Arc::ptr_eq(seen, entry))
    }
}
