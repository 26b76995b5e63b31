//! Sees that the configuration file has changed: looks at it every second. What lies behind a link
//! is looked at, so that a link that leads elsewhere is a change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use tokio::time::{Duration, sleep};

use super::{Reloader, behind};
use crate::config::Reload;

/// How often it is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// Which file it is and when it was written.
type Stamp = (u64, u64, u64, i64, i64);

/// Reloads whenever the file has changed and the configuration wants that, for ever. To be spawned.
pub async fn watch(reloader: Arc<Reloader>) {
    let Some(file) = reloader.file().map(Path::to_owned) else { return };
    let mut taken = stamp(&file);
    let mut seen = taken;
    loop {
        sleep(PAUSE).await;
        // Who is written to at this moment is read when he is left alone. A file that is away for a
        // moment is none that has changed.
        let before = std::mem::replace(&mut seen, stamp(&file));
        let is_settled = seen == before && seen.is_some();
        if !is_settled || seen == taken {
            continue;
        }
        taken = seen;
        match reloader.reloaded.live.now().config().reload {
            // It is told by itself.
            Reload::Watch => drop(behind(&reloader).await),
            Reload::Asked => {}
        }
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let seen = fs::metadata(file).ok()?;
    Some((seen.dev(), seen.ino(), seen.len(), seen.mtime(), seen.mtime_nsec()))
}
