//! Where a server accepts: its places, which others can take the place of while it serves.
//!
//! A place is a listener and how connections from there begin. Places are bound before any of them
//! counts, and a socket that the next ones want as well is never closed. What waits in the backlog of
//! one that is left is accepted first; connections that are there go on.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::estate::Inherited;
use super::listen::{Accepted, BACKLOG, BindError, Listener};
use super::proxy_protocol::Spokesmen;
use super::request::Peer;
use super::secured::Beginning;
use crate::config::Listen;
use crate::tls::Tls;

/// Where clients are to be accepted, and how their connections begin there.
#[derive(Clone, Default)]
pub struct Wanted {
    /// The places, each with the TLS that its connections are secured by, if they are.
    pub places: Vec<(Listen, Option<Arc<Tls>>)>,
    /// Who says first for whom he speaks.
    pub spokesmen: Option<Arc<Spokesmen>>,
}

/// The places of one server. Cloning it shares it.
#[derive(Clone)]
pub struct Places(Arc<State>);

/// Places that are bound and do not count yet. Dropped, what was bound for them is closed.
pub struct NextPlaces(Vec<Place>);

/// What became of places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Where clients are accepted that were not.
    pub opened: Vec<Listen>,
    /// Where they are no more.
    pub left: Vec<Listen>,
}

struct State {
    /// Nothing once they are closed.
    open: Mutex<Option<Open>>,
    /// How often others took the place of those that were there.
    turns: AtomicU64,
    /// The task that accepts.
    accepting: AtomicWaker,
}

#[derive(Default)]
struct Open {
    places: Vec<Place>,
    /// Which place is asked first.
    first: usize,
    /// Who waited where nobody accepts any more: at most a backlog for each place that was left.
    waiting: VecDeque<Arrived>,
}

#[derive(Clone)]
struct Place {
    /// As it was asked for; port 0 is not the port that it has.
    asked: Listen,
    listener: Arc<Listener>,
    beginning: Beginning,
}

/// A connection just accepted, whose it is, and how it begins.
pub(super) struct Arrived {
    pub(super) accepted: Accepted,
    pub(super) peer: Peer,
    pub(super) beginning: Beginning,
}

impl Place {
    fn new(asked: &Listen, listener: Arc<Listener>, tls: Option<&Arc<Tls>>, all: &Wanted) -> Self {
        let beginning = Beginning { spokesmen: all.spokesmen.clone(), tls: tls.cloned() };
        Place { asked: asked.clone(), listener, beginning }
    }

    fn arrived(&self, (accepted, peer): (Accepted, Peer)) -> Arrived {
        Arrived { accepted, peer, beginning: self.beginning.clone() }
    }

    /// Where it is, with the port that the system chose for port 0.
    fn listening(&self) -> Listen {
        self.listener.place().unwrap_or_else(|_| self.asked.clone())
    }
}

impl Places {
    /// Binds every place, or takes what was inherited for it; or says which cannot be bound and why.
    /// Must be called on a runtime.
    pub(super) fn bind(wanted: &Wanted, inherited: &mut Inherited) -> Result<Places, BindError> {
        let bind = |(asked, tls): &(Listen, Option<Arc<Tls>>)| {
            let listener = Arc::new(Listener::take(inherited, asked)?);
            Ok(Place::new(asked, listener, tls.as_ref(), wanted))
        };
        let places = wanted.places.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let open = Mutex::new(Some(Open { places, ..Open::default() }));
        Ok(Places(Arc::new(State {
            open,
            turns: AtomicU64::new(0),
            accepting: AtomicWaker::new(),
        })))
    }

    /// Binds what these places want and is not there; nothing counts before [`Places::turn_to`]. To
    /// be called by one at a time, on a runtime.
    pub fn ready(&self, wanted: &Wanted) -> Result<NextPlaces, BindError> {
        let mut there: Vec<Place> =
            self.0.open.lock().iter().flat_map(|it| &it.places).cloned().collect();
        let ready = |(asked, tls): &(Listen, Option<Arc<Tls>>)| {
            let listener = match there.iter().position(|place| place.asked == *asked) {
                Some(at) => there.swap_remove(at).listener,
                None => Arc::new(Listener::bind(asked)?),
            };
            Ok(Place::new(asked, listener, tls.as_ref(), wanted))
        };
        let next = wanted.places.iter().map(ready).collect::<Result<Vec<_>, _>>()?;
        Ok(NextPlaces(next))
    }

    /// Accepts there from here on, and nowhere else. Places that were closed stay closed.
    pub fn turn_to(&self, next: NextPlaces) -> Moved {
        let mut open = self.0.open.lock();
        let Some(open) = open.as_mut() else { return Moved::default() };
        let before = std::mem::replace(&mut open.places, next.0);
        let is_among = |place: &Place, all: &[Place]| {
            all.iter().any(|other| Arc::ptr_eq(&other.listener, &place.listener))
        };
        let opened = open.places.iter().filter(|place| !is_among(place, &before));
        let opened = opened.map(Place::listening).collect();
        let mut left = Vec::new();
        for place in before.iter().filter(|place| !is_among(place, &open.places)) {
            left.push(place.listening());
            let waiting = (0..BACKLOG).map_while(|_| place.listener.accept_waiting());
            open.waiting.extend(waiting.map(|accepted| place.arrived(accepted)));
        }
        self.0.turns.fetch_add(1, Ordering::Release);
        self.0.accepting.wake();
        Moved { opened, left }
    }

    /// Where clients are accepted, with the ports that the system chose for port 0.
    pub fn listening(&self) -> Vec<Listen> {
        self.0.open.lock().iter().flat_map(|it| &it.places).map(Place::listening).collect()
    }

    /// How often others took the place of those that were there; who accepts is woken by it.
    #[cfg(feature = "http3")]
    pub(super) fn turns(&self) -> u64 {
        self.0.turns.load(Ordering::Acquire)
    }

    /// Where clients are accepted that speak TLS, and by which.
    #[cfg(feature = "http3")]
    pub(super) fn secured(&self) -> Vec<(Listen, Arc<Tls>)> {
        let secured = |place: &Place| Some((place.listening(), place.beginning.tls.clone()?));
        self.0.open.lock().iter().flat_map(|it| &it.places).filter_map(secured).collect()
    }

    /// Whether nobody is accepted any more.
    pub fn is_closed(&self) -> bool {
        self.0.open.lock().is_none()
    }

    /// Accepts nobody any more, for good.
    pub(super) fn close(&self) {
        drop(self.0.open.lock().take());
    }

    /// Accepts at whichever place has a client, beginning behind the one that had the last. One task
    /// asks.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Arrived>> {
        // Before the look, so that places which are put in place after it are looked at again.
        self.0.accepting.register(cx.waker());
        let mut open = self.0.open.lock();
        let Some(open) = open.as_mut() else { return Poll::Pending };
        if let Some(arrived) = open.waiting.pop_front() {
            return Poll::Ready(Ok(arrived));
        }
        for offset in 0..open.places.len() {
            let at = (open.first + offset) % open.places.len();
            let place = &open.places[at];
            if let Poll::Ready(accepted) = place.listener.poll_accept(cx) {
                let arrived = accepted.map(|accepted| place.arrived(accepted));
                open.first = at + 1;
                return Poll::Ready(arrived);
            }
        }
        Poll::Pending
    }

    /// A second hold of each socket; none where they are closed.
    pub(super) fn sockets(&self) -> io::Result<Vec<(Listen, OwnedFd)>> {
        let open = self.0.open.lock();
        open.iter().flat_map(|it| &it.places).map(|place| place.listener.bequest()).collect()
    }

    /// Leaves the paths of Unix sockets where they are.
    pub(super) fn keep_paths(&self) {
        let open = self.0.open.lock();
        open.iter().flat_map(|it| &it.places).for_each(|place| place.listener.keep_path());
    }
}
