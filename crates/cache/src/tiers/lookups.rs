//! Who looks below memory for a key, and who waits for what he finds.

use std::collections::HashMap;
use std::future::Future;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Found;
use crate::entry::Key;

/// The look-ups under way, one a key. There are no more than callers.
pub(super) struct LookUps<H> {
    open: Mutex<HashMap<Key, Waiting<H>>>,
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
    key: Option<Key>,
}

impl<H> LookUps<H> {
    pub(super) fn new() -> Self {
        Self { open: Mutex::new(HashMap::new()) }
    }

    pub(super) fn enter<'a>(
        &'a self,
        key: &Key,
    ) -> Turn<'a, H, impl Future<Output = Option<Option<Found<H>>>> + use<H>> {
        let mut open = self.open.lock();
        if let Some(waiting) = open.get_mut(key) {
            let mut told = waiting.get_or_insert_with(|| watch::channel(None).0).subscribe();
            return Turn::Wait(async move {
                let found = told.wait_for(Option::is_some).await.ok()?;
                found.clone()
            });
        }
        open.insert(key.clone(), None);
        Turn::Look(Look { lookups: self, key: Some(key.clone()) })
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
        let key = self.key.take()?;
        self.lookups.open.lock().remove(&key)?
    }
}

impl<H> Drop for Look<'_, H> {
    fn drop(&mut self) {
        self.end();
    }
}
