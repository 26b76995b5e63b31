//! Keeps the table of routes as Redis has it, and a copy of it on disk.
//!
//! Three tasks. One hears of changes and reads the changed keys again at once. One reads everything
//! again: at once after a doubt, and spread over each interval in any case, so that what was never told
//! is found too. One writes the table down when it has changed. None of them is ever waited for by a
//! request, and none ends: while Redis is away everything that is known goes on.

mod file;
mod form;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::time::{Duration, Instant, sleep, sleep_until};

use crate::route::{BATCH_MAX, DynamicRoutes, Told, name};

pub use form::{Damage, Kept, decode, encode};

/// How long a round trip may take that nobody waits for.
const READ_LIMIT: Duration = Duration::from_secs(2);

/// The pause after a pass that Redis did not let end.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The table is written no more often than this.
const SAVE_PAUSE: Duration = Duration::from_secs(2);

/// What is only known as absent is worth a write after so long.
const SAVE_ABSENCES_PAUSE: Duration = Duration::from_secs(60);

/// Writing takes no more than one part in so many of the time.
const SAVE_SHARE: u32 = 20;

/// How a pass over everything goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// One batch after the other.
    AtOnce,
    /// Its batches spread over the interval.
    Spread,
}

/// How a pass ended.
#[derive(Debug, PartialEq, Eq)]
enum Passed {
    /// Everything was read.
    Whole,
    /// A doubt came up: all is to be read once more, at once.
    Doubted,
    /// Of a cluster some servers are away; what the others have was read.
    Partly(String),
    /// Redis did not say: why.
    Failed(String),
}

/// Keeps the routes as Redis has them, for ever. To be spawned. Dropped, the table stays as it is.
pub async fn watch(routes: Arc<DynamicRoutes>) {
    tokio::join!(listen(&routes), reconcile(&routes), save(&routes));
}

/// Takes what the table on disk holds, before Redis is asked. Waits for the disk.
pub fn restore(routes: &DynamicRoutes) {
    let Some(path) = &routes.settings.table else { return };
    match file::read(path, &routes.settings.prefix) {
        Ok(None) => {}
        Ok(Some(kept)) => {
            for (name, stored) in kept {
                routes.known.restore(&name, stored.as_ref());
            }
        }
        Err(why) => {
            routes.counts.tables_ignored.fetch_add(1, Relaxed);
            tracing::warn!("{why}; begins without it");
        }
    }
}

/// Writes the table down if it has changed. Waits for the disk; for the end of the process.
pub fn close(routes: &DynamicRoutes) {
    if let Some(path) = &routes.settings.table
        && routes.known.changes() != routes.saved.load(Relaxed)
    {
        save_now(routes, path);
    }
}

async fn listen(routes: &Arc<DynamicRoutes>) {
    loop {
        match routes.source.told().await {
            Told::Changed(keys) => changed(routes, &keys).await,
            Told::Doubt => {
                routes.counts.doubts.fetch_add(1, Relaxed);
                routes.known.doubt();
                routes.pass_due.notify_one();
            }
        }
    }
}

/// Reads changed keys again. What cannot be read now is found by the pass that is then due.
async fn changed(routes: &DynamicRoutes, keys: &[Vec<u8>]) {
    let names = keys.iter().filter_map(|key| name::of_key(&routes.settings.prefix, key));
    let names: Vec<Box<str>> = names.filter(|name| routes.is_wanted(name)).collect();
    routes.counts.told.fetch_add(names.len() as u64, Relaxed);
    for batch in names.chunks(BATCH_MAX) {
        if routes.read(batch, READ_LIMIT).await.is_err() {
            routes.pass_due.notify_one();
            return;
        }
    }
}

async fn reconcile(routes: &DynamicRoutes) {
    let mut due = Instant::now();
    let mut pace = Pace::AtOnce;
    let mut is_away = false;
    loop {
        tokio::select! {
            () = routes.pass_due.notified() => pace = Pace::AtOnce,
            () = sleep_until(due) => {}
        }
        let began = Instant::now();
        match pass(routes, pace).await {
            Passed::Whole => {
                routes.counts.reconciles.fetch_add(1, Relaxed);
                routes.confirmed.send_replace(true);
                (due, pace, is_away) = (began + routes.settings.reconcile, Pace::Spread, false);
            }
            Passed::Doubted => (due, pace) = (began, Pace::AtOnce),
            // Who comes back is heard of as a doubt; no sooner is there more to read.
            Passed::Partly(why) => {
                routes.counts.reconciles_failed.fetch_add(1, Relaxed);
                if !is_away {
                    tracing::warn!("goes on with the routes that are known: {why}");
                }
                (due, pace, is_away) = (began + routes.settings.reconcile, Pace::Spread, true);
            }
            Passed::Failed(why) => {
                routes.counts.reconciles_failed.fetch_add(1, Relaxed);
                if !is_away {
                    tracing::warn!("goes on with the routes that are known: {why}");
                }
                (due, pace, is_away) = (Instant::now() + RETRY_PAUSE, Pace::AtOnce, true);
            }
        }
    }
}

/// Reads everything that is known once more, but for what lies with servers that are away.
async fn pass(routes: &DynamicRoutes, pace: Pace) -> Passed {
    if routes.source.is_away() {
        return Passed::Failed("cannot ask redis: not connected".to_owned());
    }
    let mut left_out = 0_usize;
    let pause = pause_between(routes);
    let mut batch = Vec::with_capacity(BATCH_MAX);
    for part in 0..routes.known.parts() {
        for name in routes.known.names(part) {
            if !routes.reaches(&name) {
                left_out += 1;
                continue;
            }
            batch.push(name);
            if batch.len() < BATCH_MAX {
                continue;
            }
            if let Err(why) = routes.read(&batch, READ_LIMIT).await {
                return Passed::Failed(why);
            }
            batch.clear();
            if pace == Pace::Spread {
                tokio::select! {
                    () = routes.pass_due.notified() => return Passed::Doubted,
                    () = sleep(pause) => {}
                }
            }
        }
    }
    if !batch.is_empty()
        && let Err(why) = routes.read(&batch, READ_LIMIT).await
    {
        return Passed::Failed(why);
    }
    match left_out {
        0 => Passed::Whole,
        some => Passed::Partly(format!(
            "cannot ask redis for {some} of them: not connected to their servers"
        )),
    }
}

/// The pause that spreads all batches of a pass over the interval.
fn pause_between(routes: &DynamicRoutes) -> Duration {
    let batches = routes.known.keys() / BATCH_MAX + 1;
    routes.settings.reconcile / u32::try_from(batches).unwrap_or(u32::MAX)
}

async fn save(routes: &Arc<DynamicRoutes>) {
    let Some(path) = routes.settings.table.clone() else { return std::future::pending().await };
    let mut saved_absences = 0;
    let mut saved_at = Instant::now();
    loop {
        sleep(SAVE_PAUSE).await;
        let absences = routes.known.absences();
        let is_changed = routes.known.changes() != routes.saved.load(Relaxed);
        let is_long_ago = saved_at.elapsed() >= SAVE_ABSENCES_PAUSE;
        let is_due = is_changed || is_long_ago && absences != saved_absences;
        if !is_due {
            continue;
        }
        let began = Instant::now();
        let (saving, to) = (Arc::clone(routes), path.clone());
        // A panic in it is told where panics are told; the next change tries again.
        let _ = tokio::task::spawn_blocking(move || save_now(&saving, &to)).await;
        (saved_absences, saved_at) = (absences, Instant::now());
        sleep(began.elapsed() * SAVE_SHARE).await;
    }
}

/// Writes the table down. What changes meanwhile is written the next time.
fn save_now(routes: &DynamicRoutes, path: &std::path::Path) {
    let changes = routes.known.changes();
    let kept = (0..routes.known.parts()).flat_map(|part| routes.known.kept(part));
    let (bytes, left_out) = form::encode(&routes.settings.prefix, kept);
    match file::write(path, &bytes) {
        Ok(()) => {
            routes.counts.saves.fetch_add(1, Relaxed);
            routes.saved.store(changes, Relaxed);
        }
        Err(why) => {
            // At each doubling: a full disk is told of, and not every two seconds.
            if (routes.counts.saves_failed.fetch_add(1, Relaxed) + 1).is_power_of_two() {
                tracing::warn!("{why}; after a restart only Redis knows the routes");
            }
        }
    }
    if left_out > 0 {
        tracing::warn!(
            "cannot keep {left_out} routes in `{}`: it would be too long",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests;
