//! The routes in Redis, as one node uses them.
//!
//! What is known is answered from the table at once, and never waits for Redis. A host that nobody has
//! asked for yet is asked for in Redis: once for all who wait, with all wildcards that cover it in the
//! same round trip, within a limit, and no more often than a rate. Where Redis cannot be asked, an
//! unknown host gets no route rather than a wrong one.
//!
//! **Order.** The exact host in the file; the exact host in Redis; the longest wildcard, the file's
//! before Redis' where both are as long; `*` in the file; `*` in Redis. Of one host the longest path
//! prefix counts, and where none fits the next of these is asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use forebay_cache::mechanism::Clock;
use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Duration, Instant, timeout};

use super::known::{Applied, Grounds, KnownOptions, KnownRoutes};
use super::lane::{Lane, Upstreams};
use super::line::RouteLine;
use super::name;
use super::rate::Rate;
use super::source::{Source, Stored};
use super::value::{Meaning, Reading};
use super::walk::Walk;
use super::way::Way;
use super::{HOST_BYTES_MAX, Table};
use crate::config::{DynamicSettings, MemberSettings, Route, text};

/// Keys read in one round trip.
pub const BATCH_MAX: usize = 500;

/// Reads of one key in a row, where each was overtaken by a doubt.
const READS_MAX: usize = 3;

/// How long a read for an operator may take.
const REREAD_LIMIT: Duration = Duration::from_secs(1);

/// Why Redis does not say where a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotLearned {
    /// So many unknown hosts were asked for that this one is not.
    Limited,
    /// Redis does not answer, or not in time.
    Away,
    /// There is a route, and no room for it.
    Full,
}

/// What was counted; each only grows.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) lookups: AtomicU64,
    pub(crate) limited: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) told: AtomicU64,
    pub(crate) doubts: AtomicU64,
    pub(crate) reconciles: AtomicU64,
    pub(crate) reconciles_failed: AtomicU64,
    pub(crate) saves: AtomicU64,
    pub(crate) saves_failed: AtomicU64,
    pub(crate) tables_ignored: AtomicU64,
}

/// All counts of the routes in Redis at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoutesSnapshot {
    /// Whether Redis can be read now.
    pub is_up: bool,
    /// Keys with a value that are known.
    pub known: u64,
    /// Keys that are known to be absent.
    pub absent: u64,
    /// Keys whose value means nothing, now.
    pub wrong_now: u64,
    /// Values that meant nothing.
    pub wrong: u64,
    /// Reads of a key that had no room.
    pub refused: u64,
    /// Questions for hosts that were not known.
    pub lookups: u64,
    /// Those that were not asked, for there were too many.
    pub limited: u64,
    /// Those that brought nothing.
    pub lookups_failed: u64,
    /// Changes that Redis told of.
    pub told: u64,
    /// Times that anything may have changed.
    pub doubts: u64,
    /// Passes over everything.
    pub reconciles: u64,
    /// Passes that Redis did not let end.
    pub reconciles_failed: u64,
    /// Writes of the table on disk.
    pub saves: u64,
    /// Writes of it that failed.
    pub saves_failed: u64,
    /// Tables on disk that did not read.
    pub tables_ignored: u64,
}

/// The routes in Redis.
pub struct DynamicRoutes {
    pub(crate) settings: DynamicSettings,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) known: KnownRoutes,
    pub(crate) counts: Counts,
    /// A pass over everything is due now.
    pub(crate) pass_due: Notify,
    /// Whether everything that was known at the start was read once.
    pub(crate) confirmed: watch::Sender<bool>,
    /// How often the table had changed when it was last written down.
    pub(crate) saved: AtomicU64,
    flights: Mutex<HashMap<Box<str>, Flight>>,
    /// Keys that are not in the table and are being read, and how often: a change of one of them
    /// may be told before it is in the table.
    asked: Mutex<HashMap<Box<str>, usize>>,
    rate: Mutex<Rate>,
    began: Instant,
}

/// What all who wait for one look-up are told.
type Flight = watch::Receiver<Option<Result<(), NotLearned>>>;

impl DynamicRoutes {
    /// Routes that are read at `source`, none of them known yet. What keeps them as Redis has them
    /// is [`crate::route_watch::watch`].
    pub fn new(
        settings: DynamicSettings,
        source: Arc<dyn Source>,
        upstreams: Arc<Upstreams>,
        clock: Clock,
    ) -> Arc<Self> {
        let defaults = Arc::new(settings.defaults.clone());
        let reading = Reading { defaults, hipache: settings.hipache };
        let options = KnownOptions {
            known_max: settings.known_max,
            absent: settings.absent,
            prefix: settings.prefix.clone(),
            reading: ArcSwap::from_pointee(reading),
        };
        Arc::new(DynamicRoutes {
            rate: Mutex::new(Rate::new(settings.lookups_per_second)),
            known: KnownRoutes::new(options, upstreams, clock),
            settings,
            source,
            counts: Counts::default(),
            pass_due: Notify::new(),
            confirmed: watch::Sender::new(false),
            saved: AtomicU64::new(0),
            flights: Mutex::default(),
            asked: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// Begins every route with these defaults from here on. What is known stays known.
    pub fn begin_with(&self, defaults: Route) {
        let hipache = self.settings.hipache;
        self.known.read_as(Reading { defaults: Arc::new(defaults), hipache });
    }

    /// The way for a host in lower case and a raw path, in the order that stands above.
    pub fn find(&self, table: &Table<Lane>, host: &str, path: &str, grounds: Grounds) -> Way {
        if host.len() > HOST_BYTES_MAX {
            return table.by_any(path).map_or(Way::None, in_file);
        }
        if let Some(lane) = table.by_exact(host, path) {
            return in_file(lane);
        }
        let Some(exact) = name::exact(host) else {
            return table.find(host, path).map_or(Way::None, in_file);
        };
        if self.known.is_bare(exact)
            && let Some(lane) = table.find(host, path)
        {
            return in_file(lane);
        }
        Walk::begin(&self.known, path, grounds).past(table, host, exact)
    }

    /// Asks Redis for a host and all wildcards that cover it, unless somebody does already, and waits
    /// within the limit. A look-up that has begun goes on when nobody waits for it any more.
    pub async fn learn(self: &Arc<Self>, host: &str) -> Result<(), NotLearned> {
        let mut flight = self.flight(host)?;
        let ended = timeout(self.settings.timeout, flight.wait_for(Option::is_some)).await;
        match ended {
            Ok(Ok(result)) => result.unwrap_or(Err(NotLearned::Away)),
            Ok(Err(_)) | Err(_) => Err(NotLearned::Away),
        }
    }

    fn flight(self: &Arc<Self>, host: &str) -> Result<Flight, NotLearned> {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(host) {
            return Ok(flight.clone());
        }
        if !name::names_for(host).all(|name| self.reaches(name)) {
            self.counts.failed.fetch_add(1, Relaxed);
            return Err(NotLearned::Away);
        }
        // The rate bounds the flights as well: each ends within the limit.
        if !self.rate.lock().take(self.began.elapsed()) {
            self.counts.limited.fetch_add(1, Relaxed);
            return Err(NotLearned::Limited);
        }
        let (tell, flight) = watch::channel(None);
        flights.insert(host.into(), flight.clone());
        drop(flights);
        let landing = Landing { routes: Arc::clone(self), host: host.into() };
        tokio::spawn(async move {
            let result = landing.routes.look_up(&landing.host).await;
            // Out of the table before it is told, or who joins now would be told what is over.
            drop(landing);
            let _ = tell.send(Some(result));
        });
        Ok(flight)
    }

    async fn look_up(&self, host: &str) -> Result<(), NotLearned> {
        self.counts.lookups.fetch_add(1, Relaxed);
        let unknown = name::names_for(host).filter(|name| !self.known.is_fresh(name));
        let names: Vec<Box<str>> = unknown.map(Box::from).collect();
        let read = timeout(self.settings.timeout, self.read(&names, self.settings.timeout)).await;
        let applied = match read {
            Ok(Ok(applied)) => applied,
            Ok(Err(_)) | Err(_) => {
                self.counts.failed.fetch_add(1, Relaxed);
                return Err(NotLearned::Away);
            }
        };
        names.iter().for_each(|name| self.known.want(name));
        match applied.contains(&Applied::Full) {
            true => Err(NotLearned::Full),
            false => Ok(()),
        }
    }

    /// Reads these keys, at most [`BATCH_MAX`], and takes what they say; what was overtaken by a
    /// doubt is read again. `Err` when Redis does not say.
    pub(crate) async fn read(
        &self,
        names: &[Box<str>],
        limit: Duration,
    ) -> Result<Vec<Applied>, String> {
        let _asking = Asking::begin(self, names);
        let mut all = Vec::new();
        let mut left: Vec<Box<str>> = names.to_vec();
        for _ in 0..READS_MAX {
            let stamp = self.known.begin();
            let keys: Vec<_> =
                left.iter().map(|name| name::key(&self.settings.prefix, name)).collect();
            let read = self.source.read(&keys, limit).await.map_err(|why| why.to_string())?;
            if read.len() != keys.len() {
                return Err(format!("{} keys have {} values", keys.len(), read.len()));
            }
            let mut doubted = Vec::new();
            for (name, stored) in left.into_iter().zip(&read) {
                match self.known.apply(&name, stamp, stored.as_ref()) {
                    Applied::Doubted => doubted.push(name),
                    applied @ (Applied::Same
                    | Applied::Changed
                    | Applied::Wrong
                    | Applied::Older
                    | Applied::Full) => all.push(applied),
                }
            }
            if doubted.is_empty() {
                return Ok(all);
            }
            left = doubted;
        }
        Err("the connection to it does not last".to_owned())
    }

    /// Whether the server that has this key can be asked.
    pub(crate) fn reaches(&self, name: &str) -> bool {
        self.source.reaches(&name::key(&self.settings.prefix, name))
    }

    /// Whether a change of this key concerns this node: it is in the table, or will be in a moment.
    pub(crate) fn is_wanted(&self, name: &str) -> bool {
        self.known.has(name) || self.asked.lock().contains_key(name)
    }

    /// What is known, in the order of the hosts; at most so many lines.
    pub fn snapshot(&self, limit: usize) -> Vec<RouteLine> {
        self.known.lines(limit)
    }

    /// The lanes that have been used, at most so many.
    pub fn used(&self, limit: usize) -> Vec<Arc<Lane>> {
        self.known.used(limit)
    }

    /// All counts now.
    pub fn counts(&self) -> RoutesSnapshot {
        let (counts, tally) = (&self.counts, &self.known.tally);
        RoutesSnapshot {
            is_up: self.source.is_up(),
            known: tally.known.load(Relaxed) as u64,
            absent: tally.absent.load(Relaxed) as u64,
            wrong_now: tally.wrong_now.load(Relaxed) as u64,
            wrong: tally.wrong.load(Relaxed),
            refused: tally.full.load(Relaxed),
            lookups: counts.lookups.load(Relaxed),
            limited: counts.limited.load(Relaxed),
            lookups_failed: counts.failed.load(Relaxed),
            told: counts.told.load(Relaxed),
            doubts: counts.doubts.load(Relaxed),
            reconciles: counts.reconciles.load(Relaxed),
            reconciles_failed: counts.reconciles_failed.load(Relaxed),
            saves: counts.saves.load(Relaxed),
            saves_failed: counts.saves_failed.load(Relaxed),
            tables_ignored: counts.tables_ignored.load(Relaxed),
        }
    }

    /// Whether a value would be a route for a host pattern; what was expected, where not.
    pub fn check(&self, host_pattern: &str, value: &[u8]) -> Result<(), String> {
        let host = text::host(host_pattern)
            .map_err(|why| format!("no route is for `{}`: {why}", host_pattern.escape_debug()))?;
        self.known.reading().meaning(&host, &Stored::Text(value.to_vec())).map(|_| ())
    }

    /// Reads a host pattern's key now, and says what this node uses from here on.
    pub async fn reread(&self, host_pattern: &str) -> Result<RouteLine, String> {
        let host = text::host(host_pattern)
            .map_err(|why| format!("no route is for `{}`: {why}", host_pattern.escape_debug()))?;
        let name = name::of_pattern(&host);
        let refused = |why: String| format!("cannot read the route of `{host_pattern}`: {why}");
        let reading = timeout(REREAD_LIMIT, self.read(std::slice::from_ref(&name), REREAD_LIMIT));
        let applied = reading.await.map_err(|_| refused("redis does not answer".to_owned()))?;
        if applied.map_err(refused)?.contains(&Applied::Full) {
            return Err(refused("`known_max` routes are known already".to_owned()));
        }
        self.known.line(&name).ok_or_else(|| refused("it was forgotten at once".to_owned()))
    }

    /// The value in use for a host pattern, if it is a string.
    pub fn text(&self, host_pattern: &str) -> Option<Vec<u8>> {
        self.known.text(&name::of_pattern(&text::host(host_pattern).ok()?))
    }

    /// The members that a value would lead to, or what was expected.
    pub fn members(&self, host_pattern: &str, value: &[u8]) -> Result<Vec<MemberSettings>, String> {
        let host = text::host(host_pattern)
            .map_err(|why| format!("no route is for `{}`: {why}", host_pattern.escape_debug()))?;
        let members = match self.known.reading().meaning(&host, &Stored::Text(value.to_vec()))? {
            Meaning::Plain(member) => vec![member],
            Meaning::Routes(routes) => {
                routes.into_iter().flat_map(|route| route.upstream.members).collect()
            }
        };
        Ok(members)
    }

    /// Each change from now on, as the line that a key has when it is asked for.
    pub fn changes(self: &Arc<Self>) -> Changes {
        Changes { routes: Arc::clone(self), names: self.known.watch() }
    }

    /// Keys that have a value.
    pub fn count(&self) -> usize {
        self.known.tally.known.load(Relaxed)
    }

    /// The key of a host pattern in Redis, where routes are written.
    pub fn key(&self, host_pattern: &str) -> Result<Vec<u8>, String> {
        let host = text::host(host_pattern)
            .map_err(|why| format!("no route is for `{}`: {why}", host_pattern.escape_debug()))?;
        Ok(name::key(&self.settings.prefix, &name::of_pattern(&host)))
    }

    /// Waits until Redis has confirmed what was known at the start; `false` when it takes longer than
    /// this.
    pub async fn ready(&self, limit: Duration) -> bool {
        let mut confirmed = self.confirmed.subscribe();
        timeout(limit, confirmed.wait_for(|it| *it)).await.is_ok_and(|it| it.is_ok())
    }
}

/// The changes of what a node uses, one after the other.
pub struct Changes {
    routes: Arc<DynamicRoutes>,
    names: broadcast::Receiver<Box<str>>,
}

/// What is heard of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This is so now.
    Line(RouteLine),
    /// Some were missed.
    Gap,
}

impl Changes {
    /// The next one. Safe to drop at any moment.
    pub async fn next(&mut self) -> Change {
        loop {
            match self.names.recv().await {
                Ok(name) => match self.routes.known.line(&name) {
                    Some(line) => return Change::Line(line),
                    None => continue,
                },
                Err(RecvError::Lagged(_)) => return Change::Gap,
                // The routes hold the other end.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

fn in_file(lane: &Arc<Lane>) -> Way {
    Way::Lane(Arc::clone(lane))
}

/// Keys that are being read; dropped, they are no more.
struct Asking<'a> {
    routes: &'a DynamicRoutes,
    names: Vec<Box<str>>,
}

impl<'a> Asking<'a> {
    fn begin(routes: &'a DynamicRoutes, names: &[Box<str>]) -> Self {
        let new = names.iter().filter(|name| !routes.known.has(name));
        let names: Vec<Box<str>> = new.cloned().collect();
        let mut asked = routes.asked.lock();
        names.iter().for_each(|name| *asked.entry(name.clone()).or_default() += 1);
        Asking { routes, names }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut asked = self.routes.asked.lock();
        for name in &self.names {
            if let Some(times) = asked.get_mut(name) {
                *times -= 1;
                if *times == 0 {
                    asked.remove(name);
                }
            }
        }
    }
}

/// A look-up under way; dropped, nobody joins it any more.
struct Landing {
    routes: Arc<DynamicRoutes>,
    host: Box<str>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.routes.flights.lock().remove(&self.host);
    }
}

#[cfg(test)]
mod tests;
