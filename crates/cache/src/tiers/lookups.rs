//! Who looks below memory for a key, and who waits for what he finds.

use std::collections::HashMap;
use std::future::Future;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Found;
use crate::entry::Key;

/// The look-ups under way, one a key. There are no more than callers.
pub(super) struct LookUps<H> {
    open: Mutex<HashMap<Key, Told<H>>>,
}

type Told<H> = watch::Receiver<Option<Option<Found<H>>>>;

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
    key: Key,
    tell: watch::Sender<Option<Option<Found<H>>>>,
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
        if let Some(told) = open.get(key) {
            let mut told = told.clone();
            return Turn::Wait(async move {
                let found = told.wait_for(Option::is_some).await.ok()?;
                found.clone()
            });
        }
        let (tell, told) = watch::channel(None);
        open.insert(key.clone(), told);
        Turn::Look(Look { lookups: self, key: key.clone(), tell })
    }
}

impl<H> Look<'_, H> {
    /// Tells all who wait.
    pub(super) fn tell(self, found: Option<Found<H>>) {
        // From here on, who comes looks for himself: what was found may have gone again.
        self.lookups.open.lock().remove(&self.key);
        self.tell.send_replace(Some(found));
    }
}

impl<H> Drop for Look<'_, H> {
    fn drop(&mut self) {
        let mut open = self.lookups.open.lock();
        if open.get(&self.key).is_some_and(|told| told.same_channel(&self.tell.subscribe())) {
            open.remove(&self.key);
        }
    }
}
