//! What signals ask a running gateway for, beside its end: SIGHUP reloads, SIGUSR1 opens the access
//! log again, SIGUSR2 upgrades.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::say;
use crate::gateway::Live;
use crate::reload::{self, Reloader};
use crate::succession::{Upgrader, Wish};

/// Heeds them, for ever. To be spawned.
pub(super) async fn heed(live: Live, reloader: Arc<Reloader>, upgrader: Arc<Upgrader>) {
    // Without a file there is nothing to reload: a terminal that goes away ends the process then.
    let mut hang_up = reloader.file().and_then(|_| heard(SignalKind::hangup()));
    let mut user_1 = heard(SignalKind::user_defined1());
    let mut user_2 = heard(SignalKind::user_defined2());
    loop {
        tokio::select! {
            // It is told by itself.
            () = next(&mut hang_up) => drop(reload::behind(&reloader).await),
            () = next(&mut user_1) => reopen(&live),
            () = next(&mut user_2) => upgrade(&upgrader),
        }
    }
}

fn heard(kind: SignalKind) -> Option<Signal> {
    signal(kind).ok()
}

async fn next(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending().await
    }
}

fn reopen(live: &Live) {
    match live.now().telemetry().access_log.reopen() {
        Ok(true) => say("forebay: opened the access log again\n"),
        Ok(false) => say("forebay: the access log is no file, and stays as it is\n"),
        Err(why) => say(&format!("forebay: {why}; goes on with the old one\n")),
    }
}

/// Behind, so that other signals are heard meanwhile.
fn upgrade(upgrader: &Arc<Upgrader>) {
    let upgrader = Arc::clone(upgrader);
    tokio::task::spawn_blocking(move || {
        if let Err(why) = upgrader.upgrade(&Wish::default()) {
            say(&format!("forebay: {why}; goes on as before\n"));
        }
    });
}
