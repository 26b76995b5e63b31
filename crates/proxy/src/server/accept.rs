//! Listeners, the accept loop, and the drain that ends it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinSet;

use super::connection;
use super::estate::{Estate, Inherited};
use super::h3::{Attempt, Endpoints, Origin};
use super::listen::{Accepted, BindError, Listener};
use super::proxy_protocol::Spokesmen;
use super::request::{Peer, Service};
use super::secured::{self, Beginning};
use super::stats::{ServerStats, count};
use super::terms::{NextTerms, Terms};
use crate::config::{Limits, Listen};
use crate::tls::Tls;

/// How long accepting pauses when the system has no descriptor left or fails otherwise.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// Listeners that are bound and not yet served. Dropping it unbinds them.
pub struct Server {
    listeners: Arc<Vec<Listener>>,
    /// What is beside them for QUIC.
    endpoints: Endpoints,
    beginnings: Vec<Beginning>,
    listening: Vec<Listen>,
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
        let places: Vec<_> = listen.iter().map(|listen| (listen.clone(), None)).collect();
        Server::bind_beside(&places, limits, None, &mut Inherited::default())
    }

    /// The same, where what was inherited is taken before anything is bound; a place's connections
    /// are secured by its TLS, if it has one, and `spokesmen` say first for whom they speak.
    pub fn bind_beside(
        places: &[(Listen, Option<Arc<Tls>>)],
        limits: &Limits,
        spokesmen: Option<Spokesmen>,
        inherited: &mut Inherited,
    ) -> Result<Server, BindError> {
        let (mut listeners, mut listening) = (Vec::new(), Vec::new());
        let mut endpoints = Endpoints::none();
        for (asked, tls) in places {
            let from = if inherited.has(asked) { Origin::Inherited } else { Origin::Bound };
            let listener = Listener::take(inherited, asked)?;
            let place = listener.place().unwrap_or_else(|_| asked.clone());
            if let Some(tls) = tls {
                endpoints.add(&place, tls, from)?;
            }
            listeners.push(listener);
            listening.push(place);
        }
        let spokesmen = spokesmen.map(Arc::new);
        let begins = |(_, tls): &(_, Option<_>)| Beginning {
            spokesmen: spokesmen.clone(),
            tls: tls.clone(),
        };
        let beginnings = places.iter().map(begins).collect();
        let (listeners, terms) = (Arc::new(listeners), NextTerms::new(limits.clone()));
        Ok(Server { listeners, endpoints, beginnings, listening, terms })
    }

    /// Where it listens, with the ports that the system chose for port 0.
    pub fn listening(&self) -> &[Listen] {
        &self.listening
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
        Estate(Arc::downgrade(&self.listeners))
    }

    /// Serves until `shutdown` is ready, then drains: nothing new is accepted, idle connections are
    /// closed, exchanges under way have `drain_timeout` to finish, the rest is cut.
    pub async fn serve<S: Service>(
        self,
        service: S,
        shutdown: impl Future<Output = ()>,
    ) -> Drained {
        let Server { listeners, mut endpoints, beginnings, terms: next, .. } = self;
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        let mut first = 0;
        loop {
            let full = connections.len() >= next.now().limits.connections_max;
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = poll_fn(|cx| poll_any(&listeners, &mut first, cx)), if !full => {
                    match accepted {
                        Ok((place, accepted)) => {
                            let beginning = &beginnings[place];
                            spawn(&mut connections, accepted, beginning, &next.now(), &service);
                        }
                        Err(error) => pause(&next.now(), &error).await,
                    }
                }
                // Who comes by UDP waits in no backlog, and is told.
                attempt = endpoints.accept() => match full {
                    true => attempt.refuse(),
                    false => begin(&mut connections, attempt, &next.now(), &service),
                },
            }
        }
        drop(listeners);
        let terms = next.now();
        let drained = tokio::select! {
            drained = drain(connections, &terms) => drained,
            never = endpoints.refuse() => never,
        };
        endpoints.close().await;
        drained
    }
}

/// Accepts on whichever listener has a client, beginning behind the one that had the last; says which
/// it was.
fn poll_any(
    listeners: &[Listener],
    first: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<(usize, (Accepted, Peer))>> {
    for offset in 0..listeners.len() {
        let place = (*first + offset) % listeners.len();
        if let Poll::Ready(accepted) = listeners[place].poll_accept(cx) {
            *first = place + 1;
            return Poll::Ready(accepted.map(|accepted| (place, accepted)));
        }
    }
    Poll::Pending
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
    (accepted, peer): (Accepted, Peer),
    beginning: &Beginning,
    terms: &Arc<Terms>,
    service: &S,
) {
    count(&terms.stats.connections_accepted);
    let (terms, service) = (terms.clone(), service.clone());
    match accepted {
        Accepted::Tcp(stream) if beginning.is_http(&peer) => {
            connections.spawn(connection::serve(stream, peer, terms, service));
        }
        Accepted::Tcp(stream) => {
            connections.spawn(secured::serve(stream, peer, beginning.clone(), terms, service));
        }
        Accepted::Unix(stream) => {
            connections.spawn(connection::serve(stream, peer, terms, service));
        }
    }
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
