//! Looks at the files of certificates again, for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Tls;
use super::stats::count;

impl Tls {
    /// Takes what has changed in the files, at the interval of the settings. To be spawned.
    pub(super) async fn watch(self: Arc<Tls>) {
        loop {
            tokio::time::sleep(self.settings.reload_interval).await;
            let own = Arc::clone(&self);
            // A reader that panicked is tried again, as one that failed.
            let _ = tokio::task::spawn_blocking(move || own.look_again()).await;
        }
    }

    /// Looks at the files now. Reads files, on this thread.
    pub fn look_again(&self) {
        let looked = self.shelf.look_again();
        self.stats.reloaded.fetch_add(looked.taken as u64, Ordering::Relaxed);
        for failure in looked.failures {
            count(&self.stats.reloads_failed);
            tracing::error!("{failure}; the last good one stays");
        }
    }
}
