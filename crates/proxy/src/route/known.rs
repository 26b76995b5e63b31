//! The table of the routes in Redis that this node knows: what lies under a key, or that nothing does.
//!
//! Looking up takes one lock of one shard for reading, and waits for nobody who reads Redis: values
//! are understood before a shard is locked. Every read has a stamp, taken before it was sent; what an
//! older read brings never wins over a younger one.

mod bare;

use std::collections::hash_map::{DefaultHasher, RandomState};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};

use arc_swap::ArcSwap;
use forebay_cache::mechanism::Clock;
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;
use tokio::time::{Duration, Instant};

pub(super) use self::bare::Bare;
use super::lane::{Lane, Upstreams};
use super::line::{RouteLine, RouteSource};
use super::name;
use super::slot::{Absent, Known, Lanes, Slot, Value, Wrong};
use super::source::Stored;
use super::value::{Meaning, Reading, shown};
use crate::config::Route;

/// Parts of the table that are locked apart.
const SHARDS: usize = 64;

/// Keys that are known to be absent, at once; beyond, the one asked for longest ago is forgotten.
pub const ABSENT_MAX: usize = 10_000;

/// Changes that wait for who watches them; who is slower misses some, and is told so.
const CHANGES_MAX: usize = 1024;

/// Absences that are passed over, because they were asked for since, to find one to forget.
const PASSED_OVER_MAX: usize = 8;

/// What an answer may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// What is known, and listened for.
    Fresh,
    /// What was known last: Redis cannot be asked.
    Last,
}

/// What lies under a name for a path.
pub(super) enum At {
    /// This.
    Lane(Arc<Lane>),
    /// Nothing for this path, or nothing that was known last.
    Nothing,
    /// Nothing for any path.
    Absent,
    /// A value that is wrong, and none that was good before.
    Wrong,
    /// It has to be asked for.
    Unknown,
}

/// What a read did to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It says what is there already.
    Same,
    /// It is used from here on.
    Changed,
    /// It is wrong; what was good before is still used.
    Wrong,
    /// It is older than what is known, which stays.
    Older,
    /// It is older than a doubt: it must be read again.
    Doubted,
    /// The table has no room for another key.
    Full,
}

/// What bounds the table, and how its values are read.
pub(crate) struct KnownOptions {
    /// Keys with a value.
    pub(crate) known_max: usize,
    /// How long after it was last asked for a key is known as absent.
    pub(crate) absent: Duration,
    /// What the keys begin with, for what is logged.
    pub(crate) prefix: String,
    /// How values are read, now.
    pub(crate) reading: ArcSwap<Reading>,
}

/// How many keys there are, of each kind, and what came of values.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) known: AtomicUsize,
    pub(super) absent: AtomicUsize,
    /// Keys whose value is wrong, now.
    pub(super) wrong_now: AtomicUsize,
    /// Wrong values, each counted once.
    pub(super) wrong: AtomicU64,
    /// Keys that had no room.
    pub(super) full: AtomicU64,
    /// Changes of what would be kept on disk, and of absences alone.
    pub(super) changes: AtomicU64,
    pub(super) absences: AtomicU64,
}

/// A part of the table, by name.
type Shard = HashMap<Box<str>, Slot>;

/// The table.
pub(crate) struct KnownRoutes {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    queue: Mutex<VecDeque<(u64, u64, Box<str>)>>,
    tickets: AtomicU64,
    stamps: AtomicU64,
    doubt: AtomicU64,
    version: AtomicU64,
    pub(super) tally: Tally,
    /// The names of keys whose line is another one now.
    told: broadcast::Sender<Box<str>>,
    options: KnownOptions,
    upstreams: Arc<Upstreams>,
    clock: Clock,
    began: Instant,
}

impl KnownRoutes {
    /// An empty table.
    pub(crate) fn new(options: KnownOptions, upstreams: Arc<Upstreams>, clock: Clock) -> Self {
        KnownRoutes {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            queue: Mutex::default(),
            tickets: AtomicU64::new(0),
            stamps: AtomicU64::new(0),
            doubt: AtomicU64::new(0),
            version: AtomicU64::new(1),
            tally: Tally::default(),
            told: broadcast::Sender::new(CHANGES_MAX),
            options,
            upstreams,
            clock,
            began: Instant::now(),
        }
    }

    /// The stamp of a read that begins now.
    pub(crate) fn begin(&self) -> u64 {
        self.stamps.fetch_add(1, Relaxed) + 1
    }

    /// Reads that have begun are worth nothing any more: their changes may not be told.
    pub(crate) fn doubt(&self) {
        self.doubt.fetch_max(self.begin(), Relaxed);
    }

    /// What lies under a name for a path.
    pub(super) fn at(&self, name: &str, path: &str, grounds: Grounds) -> At {
        let shard = self.shard(name).read();
        match shard.get(name) {
            None => At::Unknown,
            Some(Slot::Known(known)) => match known.lanes.find(path) {
                Some(lane) => At::Lane(Arc::clone(lane)),
                None if known.value.is_none() => At::Wrong,
                None => At::Nothing,
            },
            Some(Slot::Absent(absent)) => self.at_absent(absent, grounds),
        }
    }

    fn at_absent(&self, absent: &Absent, grounds: Grounds) -> At {
        let now = self.millis();
        if !absent.is_wanted(now, self.absent_millis()) {
            return match grounds {
                Grounds::Fresh => At::Unknown,
                Grounds::Last => At::Nothing,
            };
        }
        // Often read, rarely written: who asks twice in a millisecond moves no cache line.
        if absent.used_at.load(Relaxed) != now {
            absent.used_at.store(now, Relaxed);
        }
        At::Absent
    }

    /// Whether something is known of a name that an answer may rest on.
    pub(super) fn is_fresh(&self, name: &str) -> bool {
        !matches!(self.at(name, "", Grounds::Fresh), At::Unknown)
    }

    /// Whether there is a slot for a name at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.shard(name).read().contains_key(name)
    }

    /// Takes what a read that began at `stamp` brought.
    pub(crate) fn apply(&self, name: &str, stamp: u64, read: Option<&Stored>) -> Applied {
        if stamp <= self.doubt.load(Relaxed) {
            return Applied::Doubted;
        }
        match read {
            None => self.apply_absent(name, stamp),
            Some(stored) => self.apply_value(name, stamp, stored, RouteSource::Redis),
        }
    }

    /// Takes what the table on disk holds of a key. Redis has the last word.
    pub(crate) fn restore(&self, name: &str, kept: Option<&Stored>) {
        match kept {
            Some(stored) => {
                self.apply_value(name, 0, stored, RouteSource::Disk);
            }
            // Asked for long ago: it counts only where Redis cannot be asked.
            None if !self.has(name) => self.insert_absent(name, 0, 0),
            None => {}
        }
    }

    fn apply_value(&self, name: &str, stamp: u64, stored: &Stored, from: RouteSource) -> Applied {
        if let Some(applied) = self.confirm(name, stamp, stored) {
            return applied;
        }
        let reading = self.reading();
        let made = self.made(name, stored, &reading);
        let wrong = made.as_ref().err().cloned();
        let applied = match made {
            Ok(lanes) => self.put(name, stamp, stored, lanes, from),
            Err(why) => self.put_wrong(name, stamp, Wrong { digest: digest(stored), why }, from),
        };
        if let (Applied::Wrong, Some(why)) = (applied, &wrong) {
            let key = String::from_utf8_lossy(&name::key(&self.options.prefix, name)).into_owned();
            tracing::warn!("cannot use the route `{key}`: its value is `{}`: {why}", shown(stored));
            self.tally.wrong.fetch_add(1, Relaxed);
        }
        if !Arc::ptr_eq(&reading, &self.options.reading.load()) {
            self.remake(name, stored);
        }
        match (applied, wrong) {
            // The same wrong value as before.
            (Applied::Same, Some(_)) => Applied::Wrong,
            (applied, _) => applied,
        }
    }

    fn made(&self, name: &str, stored: &Stored, reading: &Reading) -> Result<Lanes, String> {
        let meaning = reading.meaning(&name::pattern(name), stored)?;
        Ok(self.lanes(name, meaning, &reading.defaults))
    }

    /// How values are read, now.
    pub(super) fn reading(&self) -> Arc<Reading> {
        self.options.reading.load_full()
    }

    /// Reads all values in this way from here on. What is known stays known; where it leads is made
    /// anew.
    pub(super) fn read_as(&self, reading: Reading) {
        self.options.reading.store(Arc::new(reading));
        // Who puts a value that was understood before sees afterwards that it is to be made again.
        for part in 0..self.parts() {
            for (name, stored) in self.kept(part) {
                if let Some(stored) = stored {
                    self.remake(&name, &stored);
                }
            }
        }
    }

    /// Makes the lanes of a value again, if that is still the one in use. One that means nothing
    /// any more leads where it led.
    fn remake(&self, name: &str, stored: &Stored) {
        let Ok(lanes) = self.made(name, stored, &self.reading()) else { return };
        let mut shard = self.shard(name).write();
        if let Some(Slot::Known(known)) = shard.get_mut(name)
            && known.value.as_ref().is_some_and(|value| value.is(stored))
        {
            known.lanes = lanes;
        }
    }

    /// The usual case, for a reading lock alone: the value is what it was.
    fn confirm(&self, name: &str, stamp: u64, stored: &Stored) -> Option<Applied> {
        let shard = self.shard(name).read();
        let slot = shard.get(name)?;
        if stamp < slot.seen().load(Relaxed) {
            return Some(Applied::Older);
        }
        match slot {
            Slot::Known(known) if known.is(stored) && known.from == RouteSource::Redis => {
                known.seen.fetch_max(stamp, Relaxed);
                Some(Applied::Same)
            }
            Slot::Known(_) | Slot::Absent(_) => None,
        }
    }

    /// Puts a value and its lanes in place.
    fn put(
        &self,
        name: &str,
        stamp: u64,
        stored: &Stored,
        lanes: Lanes,
        from: RouteSource,
    ) -> Applied {
        let (value, since) = (Value::of(stored), self.clock.now());
        let mut shard = self.shard(name).write();
        if let Err(applied) = self.may_put(name, stamp, shard.get(name)) {
            return applied;
        }
        let known = Known { value, lanes, wrong: None, from, since, seen: AtomicU64::new(stamp) };
        self.count(shard.insert(name.into(), Slot::Known(known)));
        self.tell(name);
        Applied::Changed
    }

    /// Notes a wrong value beside what was good before it.
    fn put_wrong(&self, name: &str, stamp: u64, wrong: Wrong, from: RouteSource) -> Applied {
        let since = self.clock.now();
        let mut shard = self.shard(name).write();
        if let Err(applied) = self.may_put(name, stamp, shard.get(name)) {
            return applied;
        }
        if let Some(Slot::Known(known)) = shard.get_mut(name) {
            known.seen.fetch_max(stamp, Relaxed);
            if known.wrong.as_ref().is_some_and(|before| before.digest == wrong.digest) {
                return Applied::Same;
            }
            self.tally.wrong_now.fetch_add(usize::from(known.wrong.is_none()), Relaxed);
            (known.wrong, known.since) = (Some(Box::new(wrong)), since);
            self.tell(name);
            return Applied::Wrong;
        }
        let (lanes, wrong) = (Lanes::none(), Some(Box::new(wrong)));
        let known = Known { value: None, lanes, wrong, from, since, seen: AtomicU64::new(stamp) };
        self.tally.wrong_now.fetch_add(1, Relaxed);
        self.count(shard.insert(name.into(), Slot::Known(known)));
        self.tell(name);
        Applied::Wrong
    }

    /// Whether a value of this read may be put where `slot` is.
    fn may_put(&self, name: &str, stamp: u64, slot: Option<&Slot>) -> Result<(), Applied> {
        if slot.is_some_and(|slot| stamp < slot.seen().load(Relaxed)) {
            return Err(Applied::Older);
        }
        match slot {
            Some(Slot::Known(_)) => Ok(()),
            Some(Slot::Absent(_)) | None if self.takes_another(name) => Ok(()),
            Some(Slot::Absent(_)) | None => Err(Applied::Full),
        }
    }

    /// Counts what goes, and that something came.
    fn count(&self, gone: Option<Slot>) {
        match gone {
            Some(Slot::Known(known)) => {
                self.tally.wrong_now.fetch_sub(usize::from(known.wrong.is_some()), Relaxed);
            }
            Some(Slot::Absent(_)) => {
                self.tally.absent.fetch_sub(1, Relaxed);
                self.tally.known.fetch_add(1, Relaxed);
            }
            None => {
                self.tally.known.fetch_add(1, Relaxed);
            }
        }
        self.tally.changes.fetch_add(1, Relaxed);
        self.version.fetch_add(1, Release);
    }

    /// Whether one more key has room; told loudly where it has not.
    fn takes_another(&self, name: &str) -> bool {
        if self.tally.known.load(Relaxed) < self.options.known_max {
            return true;
        }
        // At each doubling: loud, and no flood.
        if (self.tally.full.fetch_add(1, Relaxed) + 1).is_power_of_two() {
            let max = self.options.known_max;
            tracing::error!("cannot take the route of `{name}`: `known_max` is {max}");
        }
        false
    }

    fn apply_absent(&self, name: &str, stamp: u64) -> Applied {
        match self.shard(name).read().get(name) {
            Some(slot) if stamp < slot.seen().load(Relaxed) => return Applied::Older,
            Some(Slot::Absent(absent)) => {
                absent.seen.fetch_max(stamp, Relaxed);
                return Applied::Same;
            }
            Some(Slot::Known(_)) | None => {}
        }
        self.insert_absent(name, stamp, self.millis());
        Applied::Changed
    }

    /// Puts an absence in place of whatever is older.
    fn insert_absent(&self, name: &str, stamp: u64, used_at: u64) {
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let (since, seen) = (self.clock.now(), AtomicU64::new(stamp));
        let used = AtomicU64::new(used_at);
        let absent = Absent { used_at: used, bare: Bare::default(), ticket, since, seen };
        {
            let mut shard = self.shard(name).write();
            if shard.get(name).is_some_and(|slot| stamp < slot.seen().load(Relaxed)) {
                return;
            }
            match shard.insert(name.into(), Slot::Absent(absent)) {
                Some(Slot::Known(known)) => {
                    self.tally.known.fetch_sub(1, Relaxed);
                    self.tally.wrong_now.fetch_sub(usize::from(known.wrong.is_some()), Relaxed);
                    self.tally.changes.fetch_add(1, Relaxed);
                    self.tally.absent.fetch_add(1, Relaxed);
                    self.tell(name);
                }
                Some(Slot::Absent(_)) => {}
                None => {
                    self.tally.absent.fetch_add(1, Relaxed);
                }
            }
        }
        self.tally.absences.fetch_add(1, Relaxed);
        self.remember_absent((ticket, used_at, name.into()));
    }

    /// Says that somebody asks for these now, so that what a read brings is believed from here on.
    pub(super) fn want(&self, name: &str) {
        if let Some(Slot::Absent(absent)) = self.shard(name).read().get(name) {
            absent.used_at.store(self.millis(), Relaxed);
        }
    }

    /// Puts an absence last in the queue, and forgets one where there are too many. An absence goes
    /// before any route does: routes have a bound of their own.
    fn remember_absent(&self, queued: (u64, u64, Box<str>)) {
        let mut queue = self.queue.lock();
        queue.push_back(queued);
        let mut passed_over = 0;
        while queue.len() > ABSENT_MAX {
            let Some((ticket, queued_at, name)) = queue.pop_front() else { return };
            let mut shard = self.shard(&name).write();
            let Some(Slot::Absent(absent)) = shard.get(&*name) else { continue };
            if absent.ticket != ticket {
                continue;
            }
            let used_at = absent.used_at.load(Relaxed);
            if used_at > queued_at && passed_over < PASSED_OVER_MAX {
                passed_over += 1;
                queue.push_back((ticket, used_at, name));
                continue;
            }
            shard.remove(&*name);
            self.version.fetch_add(1, Release);
            self.tally.absent.fetch_sub(1, Relaxed);
        }
    }

    fn lanes(&self, name: &str, meaning: Meaning, defaults: &Arc<Route>) -> Lanes {
        match meaning {
            Meaning::Plain(member) => {
                let called = format!("{}{}", name::pattern(name), defaults.path_prefix);
                let route = Arc::clone(defaults);
                Lanes::One(Lane::lazy(route, called.into(), Some(member), &self.upstreams))
            }
            Meaning::Routes(routes) => {
                let lane = |route: Route| {
                    let called = Arc::from(route.name.as_str());
                    Lane::lazy(Arc::new(route), called, None, &self.upstreams)
                };
                Lanes::of(routes.into_iter().map(lane).collect())
            }
        }
    }

    /// How many parts the table has that are listed apart.
    pub(crate) fn parts(&self) -> usize {
        self.shards.len()
    }

    /// The names of one part that are to be read again: all that have a value, and what was asked
    /// for a moment ago and is not there.
    pub(crate) fn names(&self, part: usize) -> Vec<Box<str>> {
        let (now, within) = (self.millis(), self.absent_millis());
        let is_read = |slot: &Slot| match slot {
            Slot::Known(_) => true,
            Slot::Absent(absent) => absent.is_wanted(now, within),
        };
        let shard = self.shards[part].read();
        shard.iter().filter(|(_, slot)| is_read(slot)).map(|(name, _)| name.clone()).collect()
    }

    /// How many keys there are, absent ones among them.
    pub(crate) fn keys(&self) -> usize {
        self.tally.known.load(Relaxed) + self.tally.absent.load(Relaxed)
    }

    /// How often what is kept on disk has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.tally.changes.load(Relaxed)
    }

    /// How often a key was found to be absent.
    pub(crate) fn absences(&self) -> u64 {
        self.tally.absences.load(Relaxed)
    }

    /// What is to be kept of one part on disk: the values in use, and absences.
    pub(crate) fn kept(&self, part: usize) -> Vec<(Box<str>, Option<Stored>)> {
        let shard = self.shards[part].read();
        let kept = shard.iter().filter_map(|(name, slot)| match slot {
            Slot::Known(known) => Some((name.clone(), Some(known.value.as_ref()?.stored()))),
            Slot::Absent(_) => Some((name.clone(), None)),
        });
        kept.collect()
    }

    /// From now on the names of keys whose line changes. An absence that only came or went is none.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Box<str>> {
        self.told.subscribe()
    }

    fn tell(&self, name: &str) {
        if self.told.receiver_count() > 0 {
            // The last may have left meanwhile.
            let _ = self.told.send(name.into());
        }
    }

    /// The value in use under a name, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Vec<u8>> {
        match self.shard(name).read().get(name)? {
            Slot::Known(Known { value: Some(Value::Text(text)), .. }) => Some(text.to_vec()),
            Slot::Known(_) | Slot::Absent(_) => None,
        }
    }

    /// What an operator sees of a key.
    pub(crate) fn line(&self, name: &str) -> Option<RouteLine> {
        self.shard(name).read().get(name).map(|slot| self.line_of(name, slot))
    }

    /// The first lines, in the order of the hosts.
    pub(crate) fn lines(&self, limit: usize) -> Vec<RouteLine> {
        let mut names: Vec<Box<str>> = Vec::new();
        for shard in &self.shards {
            names.extend(shard.read().keys().cloned());
        }
        names.sort_unstable_by(|one, other| by_host(one).cmp(&by_host(other)));
        names.iter().take(limit).filter_map(|name| self.line(name)).collect()
    }

    fn line_of(&self, name: &str, slot: &Slot) -> RouteLine {
        let (value, from, since) = match slot {
            Slot::Absent(absent) => (String::new(), RouteSource::Redis, absent.since),
            Slot::Known(known) => {
                let value = known.value.as_ref().map(|value| shown(&value.stored()));
                (value.unwrap_or_default(), known.from, known.since)
            }
        };
        RouteLine {
            key: String::from_utf8_lossy(&name::key(&self.options.prefix, name)).into_owned(),
            host: name::pattern(name).to_string(),
            value,
            state: slot.state(),
            from,
            since: crate::kept::moment(since),
        }
    }

    fn shard(&self, name: &str) -> &RwLock<Shard> {
        let hash = self.hasher.hash_one(name);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }

    /// One more than the milliseconds since the table was made, so that 0 is before all of them.
    fn millis(&self) -> u64 {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
        since + self.absent_millis() + 1
    }

    fn absent_millis(&self) -> u64 {
        u64::try_from(self.options.absent.as_millis()).unwrap_or(u64::MAX / 4)
    }
}

/// Wildcards stand behind the name that they are below.
fn by_host(name: &str) -> (&str, bool) {
    let is_wildcard = name.starts_with('.');
    (name.trim_start_matches('.'), is_wildcard)
}

fn digest(stored: &Stored) -> u64 {
    let mut hasher = DefaultHasher::new();
    match stored {
        Stored::Text(bytes) => bytes.hash(&mut hasher),
        Stored::List(list) => list.hash(&mut hasher),
        Stored::Other => 0.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
