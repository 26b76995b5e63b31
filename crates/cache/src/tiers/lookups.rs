//! Who looks below memory for a key, and who waits for what he finds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Found;
use crate::entry::Key;
use crate::memory::Hashed;

/// The look-ups under way, one a key. There are no more than callers.
pub(super) struct LookUps<H> {
    open: Mutex<HashMap<Wanted, Waiting<H>, BuildHasherDefault<AsHashed>>>,
}

/// A key, and what memory hashes it to: it is not hashed anew here, where that is as hard to flood.
#[derive(Clone, PartialEq, Eq)]
struct Wanted {
    hashed: Hashed,
    key: Key,
}

impl Hash for Wanted {
    fn hash<S: Hasher>(&self, state: &mut S) {
        state.write_u64(self.hashed.number());
    }
}

/// Takes a number that is a hash already for the hash.
#[derive(Default)]
struct AsHashed(u64);

impl Hasher for AsHashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(8) ^ number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// By which word those who wait are told, once somebody waits.
type Waiting<H> = Option<watch::Sender<Told<H>>>;

/// `None` before it is told.
type Told<H> = Option<Option<Found<H>>>;

/// What a caller is to do.
pub(super) enum Turn<'a, H, W> {
    /// Look, for all.
    Look(Look<'a, H>),
    /// Wait for who looks; nothing is told where he left.
    Wait(W),
}

/// The duty to look. Dropped without a word, one who waits looks in its place.
pub(super) struct Look<'a, H> {
    lookups: &'a LookUps<H>,
    /// Until it is told.
    wanted: Option<Wanted>,
}

impl<H> LookUps<H> {
    pub(super) fn new() -> Self {
        Self { open: Mutex::new(HashMap::default()) }
    }

    pub(super) fn enter<'a>(
        &'a self,
        hashed: Hashed,
        key: &Key,
    ) -> Turn<'a, H, impl Future<Output = Option<Option<Found<H>>>> + use<H>> {
        let wanted = Wanted { hashed, key: key.clone() };
        match self.open.lock().entry(wanted.clone()) {
            Entry::Vacant(place) => {
                place.insert(None);
                Turn::Look(Look { lookups: self, wanted: Some(wanted) })
            }
            Entry::Occupied(mut waiting) => {
                let tell = waiting.get_mut().get_or_insert_with(|| watch::channel(None).0);
                let mut told = tell.subscribe();
                Turn::Wait(async move {
                    let found = told.wait_for(Option::is_some).await.ok()?;
                    found.clone()
                })
            }
        }
    }
}

impl<H> Look<'_, H> {
    /// Tells all who wait.
    pub(super) fn tell(mut self, found: Option<Found<H>>) {
        // From here on, who comes looks for himself: what was found may have gone again.
        if let Some(tell) = self.end() {
            tell.send_replace(Some(found));
        }
    }

    fn end(&mut self) -> Waiting<H> {
        let wanted = self.wanted.take()?;
        self.lookups.open.lock().remove(&wanted)?
    }
}

impl<H> Drop for Look<'_, H> {
    fn drop(&mut self) {
        self.end();
    }
}
