//! A configuration put in the place of another while the process runs.
//!
//! The file is read and checked whole, then counts at once: for each exchange that begins from then on,
//! and, as to limits, TLS and for whom peers speak, for each new connection. Caches, connections and
//! flights go on. A configuration that is wrong, or wants something that is fixed as long as the process
//! runs, changes nothing.

mod watch;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::config::flags::RunArgs;
use crate::config::{self, Config, Limits, Listen, Problems};
use crate::front::Front;
use crate::gateway::{Gateway, Live};
use crate::guard::{Gate, NextToken};
use crate::server::{Moved, NextPlaces, NextTerms, Places};
use crate::systemd::Notify;
use crate::telemetry::{self, Telemetry};
use crate::terminal::say;
use crate::tls::Tls;
use crate::upstream::Destinations;

pub use watch::watch;

/// Terms, and what the limits of a configuration are for them.
pub type Bent = (NextTerms, fn(&Limits) -> Limits);

/// What a process reloads, and with what.
pub struct Reloader {
    /// The flags with which it was started: they go before the file every time.
    pub args: RunArgs,
    /// What is replaced.
    pub reloaded: Reloadable,
    /// Who is told.
    pub notify: Notify,
    /// One at a time, and how they ended.
    pub told: Mutex<Reloads>,
}

/// All in which another configuration is put in place.
pub struct Reloadable {
    /// The gateway.
    pub live: Live,
    /// What may be connected to.
    pub destinations: Arc<Destinations>,
    /// Where clients are accepted.
    pub places: Places,
    /// Where systemd wants that, whatever the configuration says.
    pub activated: Vec<Listen>,
    /// Who guards the operators' listener, if there is one.
    pub gate: Option<Arc<Gate>>,
    /// Whose limits change, and how each bends them.
    pub terms: Vec<Bent>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Routes of the file, now.
    pub routes: usize,
    /// Where clients are accepted that were not, and where they are no more.
    pub moved: Moved,
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
        let fixed = self.reloaded.live.now().config().fixed_in(&next);
        if !fixed.is_empty() {
            return Err(NotReloaded::Fixed(fixed));
        }
        let next = self.reloaded.ready(next).map_err(NotReloaded::Unusable)?;
        Ok(self.reloaded.put_in_place(next))
    }
}

/// All that another configuration makes, of which nothing counts yet. Dropped, it is as if it had never
/// been.
struct Next {
    gateway: Gateway,
    access_log: Option<telemetry::Opened>,
    token: Option<NextToken>,
    places: NextPlaces,
}

impl Reloadable {
    /// Makes all that this configuration wants and that can fail, or says what did.
    fn ready(&self, config: Config) -> Result<Next, String> {
        if self.places.is_closed() {
            return Err("this process is at its end and accepts nobody any more".to_owned());
        }
        let now = self.live.now();
        let before = now.telemetry();
        let access_log = before.access_log.opened(&config)?;
        let telemetry =
            Telemetry { access_log: before.access_log.under(&config), ..Telemetry::clone(before) };
        let token = self.gate.as_ref().map(|gate| gate.ready(config.admin_token.as_deref()));
        let token = token.transpose()?;
        let Front { wanted, tls } = Front::succeeding(now.tls(), &config, &self.activated)?;
        let places = self.places.ready(&wanted).map_err(|why| why.to_string())?;
        let gateway = now.under(config, telemetry).map_err(|why| why.to_string())?;
        if let Some(tls) = tls {
            gateway.secure(tls);
        }
        Ok(Next { gateway, access_log, token, places })
    }

    /// From here on it counts: for exchanges first, so that who is accepted under it is answered under
    /// it as well.
    fn put_in_place(&self, next: Next) -> Reloaded {
        let Next { gateway, access_log, token, places } = next;
        let before = self.live.now();
        if let Some(opened) = access_log {
            before.telemetry().access_log.turn_to(opened);
        }
        self.put_beside(before.config(), gateway.config());
        self.live.replace(gateway.clone());
        let moved = self.places.turn_to(places);
        self.destinations.listens_at(self.places.listening());
        if let (Some(gate), Some(token)) = (&self.gate, token) {
            gate.turn_to(token);
        }
        keep_certificates(before.tls(), gateway.tls());
        Reloaded { routes: gateway.config().routes.len(), moved }
    }

    /// What lies outside the snapshot.
    fn put_beside(&self, before: &Config, next: &Config) {
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

/// Lets the next TLS look after the certificates, if it is another one.
fn keep_certificates(before: Option<&Arc<Tls>>, next: Option<&Arc<Tls>>) {
    if let (Some(before), Some(next)) = (before, next)
        && Arc::ptr_eq(before, next)
    {
        return;
    }
    before.iter().for_each(|before| before.retire());
    next.iter().for_each(|next| next.keep());
}

/// Reloads on a thread that may wait for the disk.
pub async fn behind(reloader: &Arc<Reloader>) -> Result<Reloaded, NotReloaded> {
    let reloader = Arc::clone(reloader);
    let reloading = tokio::task::spawn_blocking(move || reloader.reload());
    reloading.await.unwrap_or_else(|lost| Err(NotReloaded::Unusable(lost.to_string())))
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reloaded { routes, moved: Moved { opened, left } } = self;
        write!(f, "{routes} {} in the file", if *routes == 1 { "route" } else { "routes" })?;
        for (places, words) in [(opened, "clients are accepted at"), (left, "and no more at")] {
            let places: Vec<String> = places.iter().map(Listen::to_string).collect();
            if !places.is_empty() {
                write!(f, "; {words} {}", places.join(", "))?;
            }
        }
        Ok(())
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
