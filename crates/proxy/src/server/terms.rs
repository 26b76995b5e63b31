//! The terms on which every connection of a server is served: bounds, counters, the drain.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::clients::{ClientPlace, Clients};
use super::link::Link;
use super::refusal::{Refusal, RefusalReason};
use super::request::{Peer, Refused};
use super::stats::ServerStats;
use crate::config::Limits;

/// Shared by all connections of one server that were accepted under the same limits.
pub(super) struct Terms {
    pub(super) limits: Limits,
    pub(super) stats: Arc<ServerStats>,
    pub(super) drain: Arc<Drain>,
    pub(super) clients: Arc<Clients>,
}

/// The terms of a server's next connection. Cloning it shares it.
#[derive(Clone)]
pub struct NextTerms(Arc<ArcSwap<Terms>>);

impl NextTerms {
    pub(super) fn new(limits: Limits) -> Self {
        NextTerms(Arc::new(ArcSwap::new(Terms::new(limits, Arc::default()))))
    }

    pub(super) fn now(&self) -> Arc<Terms> {
        self.0.load_full()
    }

    /// Accepts under these limits from here on; connections that are there keep theirs.
    pub fn bound_by(&self, limits: &Limits) {
        let Terms { limits: _, stats, drain, clients } = &*self.now();
        self.0.store(Arc::new(Terms {
            limits: limits.clone(),
            stats: Arc::clone(stats),
            drain: Arc::clone(drain),
            clients: Arc::clone(clients),
        }));
    }

    /// Lets connections without a request wait so long for one when the server drains, and answers
    /// it: for a server whose place another takes, so that no client meets a close.
    pub fn let_idle_linger(&self, how_long: Duration) {
        *self.now().drain.linger.lock() = how_long;
    }
}

impl Terms {
    pub(super) fn new(limits: Limits, stats: Arc<ServerStats>) -> Arc<Self> {
        Arc::new(Terms { limits, stats, drain: Arc::default(), clients: Arc::default() })
    }

    /// A place for a connection among those of its client, where clients are counted; or that it has
    /// as many as it may, which is counted.
    pub(super) fn enter_client(&self, peer: &Peer) -> Result<Option<ClientPlace>, Refused> {
        let counted = self.limits.connections_per_address_max.zip(peer.address);
        let Some((at_once, address)) = counted else { return Ok(None) };
        if self.limits.uncounted_peers.iter().any(|peers| peers.holds(address.ip())) {
            return Ok(None);
        }
        if let Some(place) = self.clients.enter(address.ip(), at_once) {
            return Ok(Some(place));
        }
        self.stats.count_refused(RefusalReason::Crowded);
        let text = "its address has as many connections as one may have";
        let refusal = Refusal::new(RefusalReason::Crowded, text);
        Err(Refused { status: None, ..Refused::new(*peer, refusal) })
    }

    /// A place among the exchanges under way, or none when all are taken.
    pub(super) fn enter_exchange(self: &Arc<Self>) -> Option<ExchangePlace> {
        let before = self.stats.exchanges_open.fetch_add(1, Ordering::Relaxed);
        let place = ExchangePlace(self.clone());
        (before < self.limits.requests_max as u64).then_some(place)
    }
}

/// One of `requests_max` places; dropping it gives it back.
pub(super) struct ExchangePlace(Arc<Terms>);

impl Drop for ExchangePlace {
    fn drop(&mut self) {
        self.0.stats.exchanges_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells all connections that the server stops. Bound by `connections_max`.
#[derive(Default)]
pub(super) struct Drain {
    begun: AtomicBool,
    /// How long who has no request under way is borne with.
    linger: Mutex<Duration>,
    idle_end: OnceLock<Instant>,
    next: AtomicU64,
    connections: Mutex<HashMap<u64, Weak<Link>>>,
}

impl Drain {
    pub(super) fn begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// When a connection without a request is to end, once the drain has begun.
    pub(super) fn idle_end(&self) -> Option<Instant> {
        if self.begun() { self.idle_end.get().copied() } else { None }
    }

    /// Begins the drain and wakes every connection, so that the idle ones end.
    pub(super) fn begin(&self) {
        self.idle_end.get_or_init(|| Instant::now() + *self.linger.lock());
        self.begun.store(true, Ordering::Release);
        for link in self.connections.lock().values().filter_map(Weak::upgrade) {
            link.connection.wake();
        }
    }

    /// Lists a connection until the returned place is dropped.
    pub(super) fn list(&self, link: &Arc<Link>) -> ListedConnection<'_> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.connections.lock().insert(id, Arc::downgrade(link));
        ListedConnection { drain: self, id }
    }
}

/// A connection that hears of the drain; dropping it takes it from the list.
pub(super) struct ListedConnection<'a> {
    drain: &'a Drain,
    id: u64,
}

impl Drop for ListedConnection<'_> {
    fn drop(&mut self) {
        self.drain.connections.lock().remove(&self.id);
    }
}
