//! Collapse: for each key at most one flight, whose leader fetches while followers wait.
//!
//! A flight ends *filled* (with an entry whose body may still arrive), *declined* (not shareable,
//! each for himself) or *abandoned* (a failure, told to all who wait and tried again by none of
//! them). A leader who goes without an ending hands over to exactly one follower, and with the lead
//! goes the lease under which the whole cluster waits.

mod table;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::entry::{Entry, Key};
use crate::lease::{Lease, Word};
use crate::purge::Epoch;
use crate::slots::Slots;
use crate::sync::Mutex;
pub(crate) use table::{Bounds, Entrance, Flights, RefreshEntrance};

/// The right and the duty to fetch for a key. Dropped without an ending, it goes to one follower.
pub struct Flight<H, F> {
    flights: Arc<Flights<H, F>>,
    course: Arc<Course<H, F>>,
    /// The purges that were known when its fetch began, at the latest.
    epoch: Mutex<Epoch>,
    ended: bool,
}

/// A place in a flight's queue; dropping it leaves the queue. It is waited on with
/// [`crate::tiers::Tiers::wait`].
pub struct Follower<H, F> {
    flights: Arc<Flights<H, F>>,
    course: Arc<Course<H, F>>,
    place: Option<usize>,
    seen: Option<Arc<Entry<H>>>,
}

/// How waiting ended.
#[derive(Debug)]
pub enum Ending<H, F> {
    /// Here is the entry; its body may still be arriving.
    Filled(Arc<Entry<H>>),
    /// Not shareable: fetch for yourself.
    Declined,
    /// The fetch failed, for all who waited.
    Abandoned(Arc<F>),
    /// Waited long enough: fetch for yourself.
    TimedOut,
    /// The leader left without an ending: you lead now.
    Lead(Flight<H, F>),
}

/// One fetch, as its leader and its followers share it.
struct Course<H, F> {
    key: Key,
    stage: Mutex<Stage<H, F>>,
    spoiled: AtomicBool,
    lease: Mutex<Option<Box<dyn Lease>>>,
}

struct Stage<H, F> {
    told: Option<Told<H, F>>,
    waiting: Slots<Place>,
}

enum Told<H, F> {
    Filled(Arc<Entry<H>>),
    Declined,
    Abandoned(Arc<F>),
}

/// A follower's place: how to wake him, and whether the lead was given to him.
struct Place {
    waker: Option<Waker>,
    role: Role,
}

#[derive(PartialEq, Eq)]
enum Role {
    Waits,
    Leads,
}

impl<H, F> Flight<H, F> {
    /// What is fetched.
    pub fn key(&self) -> &Key {
        &self.course.key
    }

    /// What its entry bears: the purges that were known when it got the lead, or when it was told
    /// to go.
    pub fn epoch(&self) -> Epoch {
        *self.epoch.lock()
    }

    /// Its fetch has not begun yet, and may now.
    pub(crate) fn begin(&self) {
        *self.epoch.lock() = self.flights.purges().epoch();
    }

    /// Leads for the whole cluster from here on.
    pub(crate) fn hold(&self, lease: Box<dyn Lease>) {
        *self.course.lease.lock() = Some(lease);
    }

    /// Whether it leads for the whole cluster.
    pub(crate) fn has_lease(&self) -> bool {
        self.course.lease.lock().is_some()
    }

    /// Parts with the lease, for what is stored under it.
    pub fn take_lease(&self) -> Option<Box<dyn Lease>> {
        self.course.lease.lock().take()
    }

    /// Takes over the lease of another flight whose fetch this one ends.
    pub fn take_over_lease(&self, other: &Self) {
        if let Some(lease) = other.take_lease() {
            self.hold(lease);
        }
    }

    /// Tells the nodes that wait how it ended, if it leads for them.
    pub fn tell_cluster(&self, word: Word) {
        if let Some(lease) = self.take_lease() {
            lease.end(word);
        }
    }

    /// Ends it as not shareable: all followers go themselves, and so does who asks within
    /// `remember`.
    pub fn decline(mut self, remember: Duration) {
        self.flights.stats().declined.one_more();
        self.tell_cluster(Word::Unshared(remember));
        self.flights.close_declined(&self.course, remember);
        self.tell(Told::Declined);
    }

    /// Ends it with a failure that all who wait now are told; who asks later may try again.
    pub fn abandon(mut self, failure: F) {
        self.flights.stats().abandoned.one_more();
        // Close before telling: who joins from here on must start a new flight, or it would hear
        // an ending older than itself.
        self.flights.close(&self.course);
        self.tell(Told::Abandoned(Arc::new(failure)));
    }

    /// As [`Flight::abandon`], and no refresh of this key is tried within `pause`.
    pub fn rest(mut self, failure: F, pause: Duration) {
        self.flights.stats().abandoned.one_more();
        let failure = Arc::new(failure);
        self.flights.close_resting(&self.course, pause, Arc::clone(&failure));
        self.tell(Told::Abandoned(failure));
    }

    /// Tells all who wait, and who joins until the [`Landing`] is dropped, of an entry.
    pub(crate) fn fill(self, entry: Arc<Entry<H>>) -> Landing<H, F> {
        self.flights.stats().filled.one_more();
        self.withdraw(entry)
    }

    /// As [`Flight::fill`], with an entry that nobody had to fetch.
    pub(crate) fn withdraw(mut self, entry: Arc<Entry<H>>) -> Landing<H, F> {
        self.tell(Told::Filled(entry));
        Landing { flights: Arc::clone(&self.flights), course: Arc::clone(&self.course) }
    }

    fn lead(flights: &Arc<Flights<H, F>>, course: &Arc<Course<H, F>>) -> Self {
        let epoch = Mutex::new(flights.purges().epoch());
        Self { flights: Arc::clone(flights), course: Arc::clone(course), epoch, ended: false }
    }

    fn tell(&mut self, told: Told<H, F>) {
        self.ended = true;
        let mut stage = self.course.stage.lock();
        stage.told = Some(told);
        let wakers: Vec<_> = stage.waiting.iter_mut().filter_map(|it| it.waker.take()).collect();
        drop(stage);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<H, F> Drop for Flight<H, F> {
    fn drop(&mut self) {
        if !self.ended {
            self.flights.hand_over(&self.course);
        }
    }
}

/// A filled flight that can still be joined, because its body arrives. Dropping it closes it.
pub(crate) struct Landing<H, F> {
    flights: Arc<Flights<H, F>>,
    course: Arc<Course<H, F>>,
}

impl<H, F> Landing<H, F> {
    /// Whether the key was removed while this was fetched: then it is not to be kept.
    pub(crate) fn is_spoiled(&self) -> bool {
        self.course.spoiled.load(Ordering::SeqCst)
    }
}

impl<H, F> Drop for Landing<H, F> {
    fn drop(&mut self) {
        self.flights.close_filled(&self.course);
    }
}

impl<H, F> Follower<H, F> {
    /// What is waited for.
    pub fn key(&self) -> &Key {
        &self.course.key
    }

    /// What the follower had found and could not use when it joined.
    pub(crate) fn seen(&self) -> Option<&Arc<Entry<H>>> {
        self.seen.as_ref()
    }

    /// Waits for the ending, for so long. Dropped while it waits, it leaves the queue, and passes
    /// the lead on if it had just got it.
    pub(crate) async fn wait(mut self, limit: Duration) -> Ending<H, F> {
        if let Ok(ending) = tokio::time::timeout(limit, self.told()).await {
            return ending;
        }
        // Whatever was said while the time ran out is better than nothing.
        match self.poll_told(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ending) => ending,
            Poll::Pending => {
                self.flights.stats().timed_out.one_more();
                Ending::TimedOut
            }
        }
    }

    /// Waits for the ending, however long.
    pub(crate) async fn told(&mut self) -> Ending<H, F> {
        poll_fn(|cx| self.poll_told(cx)).await
    }

    fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Ending<H, F>> {
        let Some(number) = self.place else { return Poll::Pending };
        let mut stage = self.course.stage.lock();
        let leads = stage.waiting.at(number).is_some_and(|place| place.role == Role::Leads);
        let ending = match &stage.told {
            _ if leads => Ending::Lead(Flight::lead(&self.flights, &self.course)),
            Some(Told::Filled(entry)) => Ending::Filled(Arc::clone(entry)),
            Some(Told::Declined) => Ending::Declined,
            Some(Told::Abandoned(failure)) => Ending::Abandoned(Arc::clone(failure)),
            None => {
                if let Some(place) = stage.waiting.at(number) {
                    place.waker = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
        };
        stage.waiting.remove(number);
        self.place = None;
        Poll::Ready(ending)
    }
}

impl<H, F> Drop for Follower<H, F> {
    fn drop(&mut self) {
        let Some(number) = self.place.take() else { return };
        let left = self.course.stage.lock().waiting.remove(number);
        if left.is_some_and(|place| place.role == Role::Leads) {
            self.flights.hand_over(&self.course);
        }
    }
}

impl<H, F> Course<H, F> {
    fn new(key: &Key) -> Arc<Self> {
        let stage = Mutex::new(Stage { told: None, waiting: Slots::new() });
        let (spoiled, lease) = (AtomicBool::new(false), Mutex::new(None));
        Arc::new(Self { key: key.clone(), stage, spoiled, lease })
    }
}

impl<H, F> fmt::Debug for Flight<H, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("key", self.key()).finish_non_exhaustive()
    }
}

impl<H, F> fmt::Debug for Follower<H, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("key", self.key()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(shuttle)]
mod interleavings;
#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
