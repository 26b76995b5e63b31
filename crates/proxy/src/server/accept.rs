//! The accept loop, and the drain that ends it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::clients::ClientPlace;
use super::connection;
use super::estate::{Estate, Inherited};
use super::h3::{Attempt, Endpoints};
use super::listen::{Accepted, BindError};
use super::places::{Arrived, Places, Wanted};
use super::request::Service;
use super::secured;
use super::stats::{ServerStats, count};
use super::terms::{NextTerms, Terms};
use crate::config::{Limits, Listen};

/// How long accepting pauses when the system has no descriptor left or fails otherwise.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// Places that are bound and not yet served. Dropping it unbinds them.
pub struct Server {
    places: Bound,
    /// What is beside them for QUIC.
    endpoints: Endpoints,
    terms: NextTerms,
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that ended by themselves within the drain's time.
    pub finished: usize,
    /// Connections that were cut at its end.
    pub cut: usize,
}

impl Server {
    /// Binds every listener, or says which cannot be bound and why. Must be called on a runtime.
    pub fn bind(listen: &[Listen], limits: &Limits) -> Result<Server, BindError> {
        let places = listen.iter().map(|listen| (listen.clone(), None)).collect();
        let wanted = Wanted { places, spokesmen: None };
        Server::bind_beside(&wanted, limits, &mut Inherited::default())
    }

    /// The same for these places, where what was inherited is taken before anything is bound.
    pub fn bind_beside(
        wanted: &Wanted,
        limits: &Limits,
        inherited: &mut Inherited,
    ) -> Result<Server, BindError> {
        let from = inherited.whence();
        let places = Bound(Places::bind(wanted, inherited)?);
        let endpoints = Endpoints::beside(&places.0, from)?;
        Ok(Server { places, endpoints, terms: NextTerms::new(limits.clone()) })
    }

    /// Where it listens, with the ports that the system chose for port 0.
    pub fn listening(&self) -> Vec<Listen> {
        self.places.0.listening()
    }

    /// Its places, which can be others while it serves.
    pub fn places(&self) -> Places {
        self.places.0.clone()
    }

    /// Its counters, which live on after it.
    pub fn stats(&self) -> Arc<ServerStats> {
        self.terms.now().stats.clone()
    }

    /// The terms of its next connections, which live on after it.
    pub fn terms(&self) -> NextTerms {
        self.terms.clone()
    }

    /// Its sockets, for who takes them over while it serves. It keeps none of them open.
    pub fn estate(&self) -> Estate {
        Estate(self.places.0.clone())
    }

    /// Serves until `shutdown` is ready, then drains: nothing new is accepted, idle connections are
    /// closed, exchanges under way have `drain_timeout` to finish, the rest is cut.
    pub async fn serve<S: Service>(
        self,
        service: S,
        shutdown: impl Future<Output = ()>,
    ) -> Drained {
        let Server { places, mut endpoints, terms: next } = self;
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let full = connections.len() >= next.now().limits.connections_max;
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                arrived = poll_fn(|cx| places.0.poll_accept(cx)), if !full => match arrived {
                    Ok(arrived) => spawn(&mut connections, arrived, &next.now(), &service),
                    Err(error) => pause(&next.now(), &error).await,
                },
                // Who comes by UDP waits in no backlog, and is told.
                attempt = endpoints.accept() => match full {
                    true => attempt.refuse(),
                    false => begin(&mut connections, attempt, &next.now(), &service),
                },
            }
        }
        drop(places);
        let terms = next.now();
        let drained = tokio::select! {
            drained = drain(connections, &terms) => drained,
            never = endpoints.refuse() => never,
        };
        endpoints.close().await;
        drained
    }
}

/// Places as long as their server is there.
struct Bound(Places);

impl Drop for Bound {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Accepting failed. A client that went away before it was accepted is no reason to wait.
async fn pause(terms: &Terms, error: &io::Error) {
    count(&terms.stats.accepts_failed);
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections for a moment");
    tokio::time::sleep(FAILURE_PAUSE).await;
}

fn spawn<S: Service>(
    connections: &mut JoinSet<()>,
    arrived: Arrived,
    terms: &Arc<Terms>,
    service: &S,
) {
    let Arrived { accepted, peer, beginning } = arrived;
    count(&terms.stats.connections_accepted);
    let (terms, service) = (terms.clone(), service.clone());
    // For whom a spokesman speaks is not known yet.
    let place = match beginning.speaks_for_others(&peer) {
        true => None,
        false => match terms.enter_client(&peer) {
            Ok(place) => place,
            Err(crowded) => return service.refused(&crowded),
        },
    };
    match accepted {
        Accepted::Tcp(stream) if beginning.is_http(&peer) => {
            connections.spawn(held(place, connection::serve(stream, peer, terms, service)));
        }
        Accepted::Tcp(stream) => {
            let serving = secured::serve(stream, peer, beginning, terms, service);
            connections.spawn(held(place, serving));
        }
        Accepted::Unix(stream) => {
            connections.spawn(connection::serve(stream, peer, terms, service));
        }
    }
}

/// Serves a connection in its place among those of its client.
async fn held(place: Option<ClientPlace>, serving: impl Future<Output = ()>) {
    serving.await;
    drop(place);
}

fn begin<S: Service>(
    connections: &mut JoinSet<()>,
    attempt: Attempt,
    terms: &Arc<Terms>,
    service: &S,
) {
    connections.spawn(attempt.serve(terms.clone(), service.clone()));
}

async fn drain(mut connections: JoinSet<()>, terms: &Terms) -> Drained {
    let open = connections.len();
    terms.drain.begin();
    let all = async { while connections.join_next().await.is_some() {} };
    // Whether it came to its end in time is seen by what is left.
    let _ = tokio::time::timeout(terms.limits.drain_timeout, all).await;
    let cut = connections.len();
    terms.stats.drain_cut.fetch_add(cut as u64, std::sync::atomic::Ordering::Relaxed);
    connections.shutdown().await;
    Drained { finished: open - cut, cut }
}
