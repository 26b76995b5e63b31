//! The connections of one member: idle HTTP/1 ones, shared HTTP/2 ones, and places for more.
//!
//! A connection is in one of three hands: the pool's, a [`Held`]'s, or nobody's, which closes it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::h1;
use super::h2::Http2;

/// Requests that wait for a connection to one member.
const WAITING_MAX: usize = 1024;
/// How often idle connections are looked at: whether their time is over, or their origin has closed
/// them.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The bounds of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PoolLimits {
    /// Connections at once.
    pub(super) connections_max: usize,
    /// Idle connections that are kept; beyond it the oldest closes.
    pub(super) idle_connections_max: usize,
    /// How long an idle connection is kept.
    pub(super) idle_timeout: Duration,
}

/// The connections of one member.
pub(super) struct Pool {
    limits: PoolLimits,
    shelf: Mutex<Shelf>,
    places: Arc<Semaphore>,
    /// Wakes one waiter for each connection or stream that came free.
    returned: Notify,
    waiting: AtomicUsize,
}

/// What lies ready.
#[derive(Default)]
struct Shelf {
    /// The latest used is at the back.
    idle: VecDeque<(Box<h1::Connection>, Instant)>,
    shared: Vec<Arc<Http2>>,
    sweeper: Sweeper,
    keeps: Keeps,
}

/// Whether connections are kept for further requests.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Keeps {
    #[default]
    Yes,
    /// None will come.
    No,
}

/// Whether somebody already looks after idle connections.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Sweeper {
    #[default]
    Off,
    On,
}

/// Which connections will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Every one.
    Any,
    /// HTTP/1.1 alone, because only that can become a tunnel.
    Http1,
}

/// Whether a connection had a request before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reused {
    /// It had: the origin may have closed it meanwhile.
    Yes,
    /// It is fresh.
    No,
}

/// Room for one more request.
pub(super) enum Room {
    /// On a connection that exists.
    Taken(Held),
    /// On one that may be made.
    Place(OwnedSemaphorePermit),
}

impl Pool {
    pub(super) fn new(limits: PoolLimits) -> Arc<Pool> {
        let places = limits.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Pool {
            limits,
            shelf: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            returned: Notify::new(),
            waiting: AtomicUsize::new(0),
        })
    }

    /// A connection that is ready at once, if there is one, without passing by those that wait.
    pub(super) fn take_at_once(self: &Arc<Self>, wanted: Wanted, generation: u64) -> Option<Held> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return None;
        }
        self.take(wanted, generation)
    }

    /// A connection that is ready.
    fn take(self: &Arc<Self>, wanted: Wanted, generation: u64) -> Option<Held> {
        loop {
            let mut http1 = {
                let mut shelf = self.shelf.lock();
                if let Some(held) = self.take_shared(&mut shelf, wanted, generation) {
                    return Some(held);
                }
                shelf.idle.pop_back()?.0
            };
            if http1.generation == generation && http1.is_quiet() {
                return Some(self.hold(http1));
            }
        }
    }

    fn take_shared(
        self: &Arc<Self>,
        shelf: &mut Shelf,
        wanted: Wanted,
        generation: u64,
    ) -> Option<Held> {
        if wanted == Wanted::Http1 {
            return None;
        }
        shelf.shared.retain(|http2| !http2.is_over() && http2.generation == generation);
        shelf.shared.iter().find_map(|http2| self.stream(http2))
    }

    /// Waits for a connection to come back or for a place to make one, whichever is first.
    /// Dropped, it leaves its turn to the next.
    pub(super) async fn room(self: &Arc<Self>, wanted: Wanted, generation: u64) -> Room {
        loop {
            let returned = self.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            if let Some(held) = self.take(wanted, generation) {
                return Room::Taken(held);
            }
            tokio::select! {
                Ok(place) = self.places.clone().acquire_owned() => return Room::Place(place),
                () = returned => {}
            }
        }
    }

    /// Waits for a place to make a connection, and closes idle ones to get it.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                return place;
            }
            let returned = self.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            drop(self.shelf.lock().idle.pop_front());
            tokio::select! {
                Ok(place) = self.places.clone().acquire_owned() => return place,
                () = returned => {}
            }
        }
    }

    /// A turn in the queue for a connection; `None` when it is as long as it may be.
    pub(super) fn queue(&self) -> Option<Turn<'_>> {
        let turn = Turn(self);
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        (before < WAITING_MAX).then_some(turn)
    }

    /// Puts a new connection to use.
    pub(super) fn hold(self: &Arc<Self>, http1: Box<h1::Connection>) -> Held {
        let reused = if http1.used { Reused::Yes } else { Reused::No };
        Held { pool: self.clone(), reused, line: Line::Http1(http1) }
    }

    /// Shares a new connection and begins its first stream.
    pub(super) fn share(self: &Arc<Self>, http2: Http2) -> Option<Held> {
        let http2 = Arc::new(http2);
        let held = self.stream(&http2);
        let mut shelf = self.shelf.lock();
        shelf.shared.push(http2);
        self.sweep_later(&mut shelf);
        held
    }

    fn stream(self: &Arc<Self>, http2: &Arc<Http2>) -> Option<Held> {
        let reused = http2.begin()?;
        let stream = Stream { http2: http2.clone(), pool: self.clone() };
        Some(Held { pool: self.clone(), reused, line: Line::Http2(stream) })
    }

    pub(super) fn give_back(self: &Arc<Self>, mut http1: Box<h1::Connection>) {
        http1.used = true;
        let mut shelf = self.shelf.lock();
        if shelf.keeps == Keeps::No {
            return;
        }
        shelf.idle.push_back((http1, Instant::now()));
        let surplus = (shelf.idle.len() > self.limits.idle_connections_max)
            .then(|| shelf.idle.pop_front())
            .flatten();
        self.sweep_later(&mut shelf);
        drop(shelf);
        drop(surplus);
        self.wake_one();
    }

    /// Closes what is idle, and the rest as it comes back.
    pub(super) fn drain(&self) {
        let mut shelf = self.shelf.lock();
        shelf.keeps = Keeps::No;
        let ready = (std::mem::take(&mut shelf.idle), std::mem::take(&mut shelf.shared));
        drop(shelf);
        drop(ready);
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.shelf.lock().idle.len()
    }

    fn wake_one(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.returned.notify_one();
        }
    }

    fn sweep_later(self: &Arc<Self>, shelf: &mut Shelf) {
        if shelf.sweeper == Sweeper::Off {
            shelf.sweeper = Sweeper::On;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what has been idle for too long or is dead; says whether anything is left.
    fn sweep_now(&self) -> Sweeper {
        let timeout = self.limits.idle_timeout;
        let now = Instant::now();
        let is_late = |since: Instant| now.duration_since(since) >= timeout;
        let mut shelf = self.shelf.lock();
        shelf.idle.retain_mut(|(http1, since)| {
            if now.duration_since(*since) >= SWEEP_INTERVAL {
                http1.release();
            }
            !is_late(*since) && http1.is_quiet()
        });
        shelf.shared.retain(|http2| {
            let load = http2.load.lock();
            !load.retired && !http2.sender.is_closed() && (load.streams > 0 || !is_late(load.since))
        });
        if shelf.idle.is_empty() && shelf.shared.is_empty() {
            shelf.sweeper = Sweeper::Off;
        }
        shelf.sweeper
    }
}

/// Looks after idle connections until there are none, or the pool is gone.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.sweep_now() {
            Sweeper::On => {}
            Sweeper::Off => return,
        }
    }
}

/// A turn in the queue; dropped, it is left.
pub(super) struct Turn<'a>(&'a Pool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection, or a stream of one, in the hand of one exchange. Dropped, the connection closes
/// and the stream ends.
pub(super) struct Held {
    pub(super) pool: Arc<Pool>,
    pub(super) reused: Reused,
    pub(super) line: Line,
}

/// What is held.
pub(super) enum Line {
    /// A connection of its own.
    Http1(Box<h1::Connection>),
    /// A stream.
    Http2(Stream),
}

/// A stream under way. Dropped, it leaves its room to another.
pub(super) struct Stream {
    pub(super) http2: Arc<Http2>,
    pool: Arc<Pool>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.http2.end();
        self.pool.wake_one();
    }
}
