//! A configuration put in the place of another while the process runs.
//!
//! The file is read and checked whole, then counts at once: for each exchange that begins from then on,
//! and, as to limits, for each new connection. Caches, connections and flights go on. A configuration
//! that is wrong, or wants something that is fixed as long as the process runs, changes nothing.

mod watch;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::config::flags::RunArgs;
use crate::config::{self, Config, Limits, Problems};
use crate::gateway::Live;
use crate::server::NextTerms;
use crate::systemd::Notify;
use crate::telemetry::Telemetry;
use crate::terminal::say;
use crate::upstream::Destinations;

pub use watch::watch;

/// Terms, and what the limits of a configuration are for them.
pub type Bent = (NextTerms, fn(&Limits) -> Limits);

/// What a process reloads, and with what.
pub struct Reloader {
    /// The flags with which it was started: they go before the file every time.
    pub args: RunArgs,
    /// What is replaced.
    pub live: Live,
    /// What may be connected to.
    pub destinations: Arc<Destinations>,
    /// Whose limits change, and how each bends them.
    pub terms: Vec<Bent>,
    /// Who is told.
    pub notify: Notify,
    /// One at a time, and how they ended.
    pub told: Mutex<Reloads>,
}

/// How reloads have ended so far.
#[derive(Clone, Debug, Default)]
pub struct Reloads {
    /// How many configurations were taken.
    pub taken: u64,
    /// How many were refused.
    pub refused: u64,
    /// When the last was taken.
    pub last_taken: Option<SystemTime>,
    /// When the last was refused.
    pub last_refused: Option<SystemTime>,
    /// Why the last try of all was refused, if it was.
    pub why: Option<String>,
}

/// What a reload brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Routes of the file, now.
    pub routes: usize,
}

/// Why nothing has changed.
#[derive(Debug)]
pub enum NotReloaded {
    /// The process was started without a file.
    NoFile,
    /// The file, or what it names, is wrong.
    Problems(Problems),
    /// It has another word for what is fixed while the process runs.
    Fixed(Vec<&'static str>),
    /// It is right, and cannot be used.
    Unusable(String),
}

impl Reloader {
    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.args.config.as_deref()
    }

    /// How reloads have ended so far.
    pub fn told(&self) -> Reloads {
        self.told.lock().clone()
    }

    /// Reads the file again and puts what it says in place, or changes nothing and says why. Tells
    /// the terminal and systemd. Waits for the disk, within a runtime; one at a time.
    pub fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let mut told = self.told.lock();
        self.notify.reloading();
        let ended = self.try_reload();
        match &ended {
            Ok(reloaded) => {
                (told.taken, told.last_taken, told.why) =
                    (told.taken + 1, Some(SystemTime::now()), None);
                say(&format!("forebay: reloaded, {reloaded}\n"));
            }
            Err(why) => {
                (told.refused, told.last_refused, told.why) =
                    (told.refused + 1, Some(SystemTime::now()), Some(why.to_string()));
                say(&format!("forebay: cannot reload, and goes on as before: {why}\n"));
            }
        }
        self.notify.ready();
        ended
    }

    fn try_reload(&self) -> Result<Reloaded, NotReloaded> {
        if self.args.config.is_none() {
            return Err(NotReloaded::NoFile);
        }
        let next = config::from_run(&self.args).map_err(NotReloaded::Problems)?;
        let now = self.live.now();
        let fixed = now.config().fixed_in(&next);
        if !fixed.is_empty() {
            return Err(NotReloaded::Fixed(fixed));
        }
        let before = now.telemetry();
        // The last that may fail; all of it is made before any of it counts.
        let opened = before.access_log.opened(&next).map_err(NotReloaded::Unusable)?;
        let access_log = before.access_log.under(&next);
        let telemetry = Telemetry { access_log, ..Telemetry::clone(before) };
        let next = now.under(next, telemetry);
        let next = next.map_err(|why| NotReloaded::Unusable(why.to_string()))?;
        if let Some(opened) = opened {
            before.access_log.turn_to(opened);
        }
        let reloaded = Reloaded { routes: next.config().routes.len() };
        self.put_in_place(now.config(), next.config());
        self.live.replace(next);
        Ok(reloaded)
    }

    /// What lies outside the snapshot.
    fn put_in_place(&self, before: &Config, next: &Config) {
        if before.destinations != next.destinations {
            self.destinations.judge_by(next.destinations.clone());
        }
        for (terms, bent) in &self.terms {
            terms.bound_by(&bent(&next.limits));
        }
        let now = self.live.now();
        let (Some(routes), Some(dynamic)) = (now.routes(), &next.dynamic) else { return };
        let defaults = before.dynamic.as_ref().map(|before| format!("{:?}", before.defaults));
        if defaults != Some(format!("{:?}", dynamic.defaults)) {
            routes.begin_with(dynamic.defaults.clone());
        }
    }
}

/// Reloads on a thread that may wait for the disk.
pub async fn behind(reloader: &Arc<Reloader>) -> Result<Reloaded, NotReloaded> {
    let reloader = Arc::clone(reloader);
    let reloading = tokio::task::spawn_blocking(move || reloader.reload());
    reloading.await.unwrap_or_else(|lost| Err(NotReloaded::Unusable(lost.to_string())))
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reloaded { routes } = self;
        write!(f, "{routes} {} in the file", if *routes == 1 { "route" } else { "routes" })
    }
}

impl fmt::Display for NotReloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotReloaded::NoFile => f.write_str("it was started without --config FILE"),
            NotReloaded::Problems(problems) => f.write_str(problems.plain().trim_end()),
            NotReloaded::Fixed(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                write!(f, "{} cannot change while it runs; use `forebay upgrade`", names.join(", "))
            }
            NotReloaded::Unusable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NotReloaded {}
