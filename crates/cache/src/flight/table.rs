//! The flights that are open, and the keys that are remembered after one ended.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Course, Flight, Follower, Place, Role, Told};
use crate::clock::{Clock, Timestamp};
use crate::entry::{Entry, Key};
use crate::log::Purges;
use crate::remembered::Remembered;
use crate::scatter::Scatter;
use crate::stats::Stats;
use crate::sync::Mutex;

/// Enough that two busy cores seldom meet at one lock.
const SHARDS: usize = 16;

/// How many of each; see [`crate::options::Options`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) flights_max: usize,
    pub(crate) followers_max: usize,
    pub(crate) declined_max: usize,
    pub(crate) resting_max: usize,
}

/// All flights of a cache.
pub(crate) struct Flights<H, F> {
    shards: Box<[Mutex<Shard<H, F>>]>,
    scatter: Scatter,
    open: AtomicUsize,
    bounds: Bounds,
    clock: Clock,
    stats: Arc<Stats>,
    purges: Purges,
}

// Lock order: a shard, then a course's stage in it.
struct Shard<H, F> {
    open: HashMap<Key, Arc<Course<H, F>>>,
    declined: Remembered<()>,
    resting: Remembered<Option<Arc<F>>>,
}

/// What a caller meets who must go to the origin.
pub(crate) enum Entrance<H, F> {
    Lead(Flight<H, F>),
    Follow(Follower<H, F>),
    Filled(Arc<Entry<H>>),
    Unshared,
}

/// What a caller meets who would refresh behind an answer.
pub(crate) enum RefreshEntrance<H, F> {
    Lead(Flight<H, F>),
    Underway,
    Resting(Timestamp),
}

impl<H, F> Flights<H, F> {
    pub(crate) fn new(
        bounds: Bounds,
        clock: Clock,
        stats: Arc<Stats>,
        purges: Purges,
    ) -> Arc<Self> {
        let shard = || Shard {
            open: HashMap::new(),
            declined: Remembered::new(bounds.declined_max.div_ceil(SHARDS)),
            resting: Remembered::new(bounds.resting_max.div_ceil(SHARDS)),
        };
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            scatter: Scatter::new(),
            open: AtomicUsize::new(0),
            bounds,
            clock,
            stats,
            purges,
        })
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(crate) fn purges(&self) -> &Purges {
        &self.purges
    }

    /// How many are open now.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn join(
        self: &Arc<Self>,
        key: &Key,
        seen: Option<&Arc<Entry<H>>>,
    ) -> Entrance<H, F> {
        let mut shard = self.shard(key.as_bytes()).lock();
        if shard.declined.until(key.as_bytes(), self.clock.now()).is_some() {
            return Entrance::Unshared;
        }
        match shard.open.get(key) {
            Some(course) => self.follow(course, seen),
            None => self.open_in(&mut shard, key).map_or(Entrance::Unshared, Entrance::Lead),
        }
    }

    pub(crate) fn refresh(self: &Arc<Self>, key: &Key) -> RefreshEntrance<H, F> {
        let mut shard = self.shard(key.as_bytes()).lock();
        if let Some(until) = shard.resting.until(key.as_bytes(), self.clock.now()) {
            return RefreshEntrance::Resting(until);
        }
        if shard.open.contains_key(key) {
            return RefreshEntrance::Underway;
        }
        self.open_in(&mut shard, key).map_or(RefreshEntrance::Underway, RefreshEntrance::Lead)
    }

    pub(crate) fn rest(&self, key: &Key, pause: Duration, failure: Option<Arc<F>>) {
        let now = self.clock.now();
        self.shard(key.as_bytes()).lock().resting.insert(key, now.plus(pause), failure, now);
    }

    pub(crate) fn resting(&self, key: &[u8]) -> Option<Option<Arc<F>>> {
        self.shard(key).lock().resting.why(key, self.clock.now())
    }

    /// What is being fetched for the key now is not to be kept, nor joined any more.
    pub(crate) fn spoil(&self, key: &[u8]) {
        self.spoil_in(&mut self.shard(key).lock(), key);
    }

    /// As [`Flights::spoil`], if what is under way is this entry.
    pub(crate) fn spoil_filled(&self, key: &[u8], entry: &Arc<Entry<H>>) {
        let mut shard = self.shard(key).lock();
        let is_this = |course: &Arc<Course<H, F>>| match &course.stage.lock().told {
            Some(Told::Filled(filled)) => Arc::ptr_eq(filled, entry),
            Some(Told::Declined | Told::Abandoned(_)) | None => false,
        };
        if shard.open.get(key).is_some_and(is_this) {
            self.spoil_in(&mut shard, key);
        }
    }

    fn spoil_in(&self, shard: &mut Shard<H, F>, key: &[u8]) {
        let Some(course) = shard.open.remove(key) else { return };
        self.open.fetch_sub(1, Ordering::Relaxed);
        course.spoiled.store(true, Ordering::SeqCst);
    }

    pub(super) fn close(&self, course: &Arc<Course<H, F>>) {
        self.forget(&mut self.shard(course.key.as_bytes()).lock(), course);
    }

    pub(super) fn close_filled(&self, course: &Arc<Course<H, F>>) {
        let mut shard = self.shard(course.key.as_bytes()).lock();
        self.forget(&mut shard, course);
        shard.declined.remove(course.key.as_bytes());
        shard.resting.remove(course.key.as_bytes());
    }

    pub(super) fn close_declined(&self, course: &Arc<Course<H, F>>, remember: Duration) {
        let now = self.clock.now();
        let mut shard = self.shard(course.key.as_bytes()).lock();
        self.forget(&mut shard, course);
        shard.declined.insert(&course.key, now.plus(remember), (), now);
    }

    pub(super) fn close_resting(
        &self,
        course: &Arc<Course<H, F>>,
        pause: Duration,
        failure: Arc<F>,
    ) {
        // Rest before closing: nobody is to slip in between.
        self.rest(&course.key, pause, Some(failure));
        self.close(course);
    }

    /// Gives the lead to one who waits, or closes the flight if nobody does.
    pub(super) fn hand_over(&self, course: &Arc<Course<H, F>>) {
        let mut shard = self.shard(course.key.as_bytes()).lock();
        let mut stage = course.stage.lock();
        let Some(next) = stage.waiting.iter_mut().next() else {
            drop(stage);
            return self.forget(&mut shard, course);
        };
        next.role = Role::Leads;
        let waker = next.waker.take();
        drop((stage, shard));
        self.stats.handed_over.one_more();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn follow(
        self: &Arc<Self>,
        course: &Arc<Course<H, F>>,
        seen: Option<&Arc<Entry<H>>>,
    ) -> Entrance<H, F> {
        let mut stage = course.stage.lock();
        match &stage.told {
            None if stage.waiting.len() >= self.bounds.followers_max => Entrance::Unshared,
            None => Entrance::Follow(Follower {
                flights: Arc::clone(self),
                course: Arc::clone(course),
                place: Some(stage.waiting.insert(Place { waker: None, role: Role::Waits })),
                seen: seen.cloned(),
            }),
            Some(Told::Filled(entry)) if entry.body().is_joinable() => {
                Entrance::Filled(Arc::clone(entry))
            }
            // The begin of its body has gone, or it broke just now.
            Some(Told::Filled(_)) => Entrance::Unshared,
            // Closed before it was told, so not to be met here; each for himself is always right.
            Some(Told::Declined | Told::Abandoned(_)) => Entrance::Unshared,
        }
    }

    fn open_in(self: &Arc<Self>, shard: &mut Shard<H, F>, key: &Key) -> Option<Flight<H, F>> {
        let room = |open: usize| (open < self.bounds.flights_max).then_some(open + 1);
        self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let course = Course::new(key);
        shard.open.insert(key.clone(), Arc::clone(&course));
        Some(Flight::lead(self, &course))
    }

    // A spoiled flight has left already, and another may fly under its key.
    fn forget(&self, shard: &mut Shard<H, F>, course: &Arc<Course<H, F>>) {
        if shard.open.get(&course.key).is_some_and(|open| Arc::ptr_eq(open, course)) {
            shard.open.remove(&course.key);
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn shard(&self, key: &[u8]) -> &Mutex<Shard<H, F>> {
        &self.shards[self.scatter.place(key, SHARDS)]
    }
}

impl<H, F> fmt::Debug for Flights<H, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("open", &self.open()).finish_non_exhaustive()
    }
}
