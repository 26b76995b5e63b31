//! What signals ask a running gateway for, beside its end: SIGHUP reloads, SIGUSR1 opens the access
//! log again, SIGUSR2 upgrades.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::RunArgs;
use crate::gateway::Live;
use crate::reload::{self, Reloader};
use crate::succession::{Upgrader, Wish};
use crate::terminal::say;

/// The signals, from the moment on at which this is made: one that comes before it is heeded waits, and
/// does not end the process.
pub(super) struct Signals {
    hang_up: Option<Signal>,
    user_1: Option<Signal>,
    user_2: Option<Signal>,
}

impl Signals {
    /// Hears them. To be called within a runtime.
    pub(super) fn hear(args: &RunArgs) -> Self {
        let heard = |kind| signal(kind).ok();
        Signals {
            // Without a file there is nothing to reload: a terminal that goes away ends the process.
            hang_up: args.config.as_ref().and_then(|_| heard(SignalKind::hangup())),
            user_1: heard(SignalKind::user_defined1()),
            user_2: heard(SignalKind::user_defined2()),
        }
    }

    /// Heeds them, for ever. To be spawned.
    pub(super) async fn heed(
        mut self,
        live: Live,
        reloader: Arc<Reloader>,
        upgrader: Arc<Upgrader>,
    ) {
        loop {
            tokio::select! {
                // It is told by itself.
                () = next(&mut self.hang_up) => drop(reload::behind(&reloader).await),
                () = next(&mut self.user_1) => reopen(&live),
                () = next(&mut self.user_2) => upgrade(&upgrader),
            }
        }
    }
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
