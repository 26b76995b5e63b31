//! Connections that do not begin with HTTP: with TLS, or with whom a peer speaks for, or with both.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::connection;
use super::h1::{self, Socket, Spoken};
use super::h2;
use super::link::Link;
use super::proxy_protocol::{self, Spokesmen};
use super::request::{Peer, Refused, Service, Transport};
use super::stats::Held;
use super::terms::Terms;
use super::wire::Wire;
use crate::tls::{Agreed, Secured, Tls};

/// How connections of one listener begin.
#[derive(Clone, Default)]
pub(super) struct Beginning {
    /// Who speaks for others, and must say so first.
    pub(super) spokesmen: Option<Arc<Spokesmen>>,
    /// By which TLS they are secured.
    pub(super) tls: Option<Arc<Tls>>,
}

impl Wire for Box<TlsStream<TcpStream>> {
    fn break_off(&mut self) {
        // That no `close_notify` comes says the same already; a reset says it to everybody.
        let _ = self.get_ref().0.set_zero_linger();
    }
}

impl Beginning {
    /// Whether a connection from here begins with something else than HTTP.
    pub(super) fn is_http(&self, peer: &Peer) -> bool {
        self.tls.is_none() && !self.speaks_for_others(peer)
    }

    /// Whether it begins with for whom the peer speaks.
    pub(super) fn speaks_for_others(&self, peer: &Peer) -> bool {
        self.spokesmen.as_ref().is_some_and(|spokesmen| spokesmen.hold(peer.address))
    }
}

/// Serves one connection, whatever it begins with.
pub(super) async fn serve<S: Service>(
    mut stream: TcpStream,
    mut peer: Peer,
    beginning: Beginning,
    terms: Arc<Terms>,
    service: S,
) {
    let mut read = BytesMut::new();
    let mut place = None;
    if beginning.speaks_for_others(&peer)
        && let Some(spokesmen) = &beginning.spokesmen
    {
        match Box::pin(proxy_protocol::receive(&mut stream, spokesmen)).await {
            Ok((client, rest)) => {
                read = rest;
                // Who speaks for nobody, as health checks do, is not counted.
                if client.is_some() {
                    peer.address = client;
                    place = match terms.enter_client(&peer) {
                        Ok(place) => place,
                        Err(crowded) => return service.refused(&crowded),
                    };
                }
            }
            Err(Some(refusal)) => {
                service.refused(&Refused::new(peer, refusal));
                let socket = Socket::new(stream, peer, Arc::new(Link::default()), terms);
                return h1::refuse_unasked(socket, refusal).await;
            }
            Err(None) => return,
        }
    }
    match beginning.tls {
        None => connection::serve_begun(stream, peer, read, terms, service).await,
        Some(tls) => {
            let Some(secured) = Box::pin(tls.accept(stream, read)).await else { return };
            peer.transport = Transport::Tls;
            serve_secured(secured, peer, terms, service).await;
        }
    }
    drop(place);
}

/// Serves what was agreed on, and nothing else: without an agreement nobody speaks HTTP/2 here.
async fn serve_secured<S: Service>(
    secured: Secured<TcpStream>,
    peer: Peer,
    terms: Arc<Terms>,
    service: S,
) {
    let Secured { stream, agreed, party } = secured;
    let link = Arc::new(Link::default());
    let _open = Held::new(&terms.stats.connections_open);
    let _listed = terms.drain.list(&link);
    let mut socket = Socket::new(stream, peer, link, terms.clone());
    socket.party = Some(Arc::new(party));
    match agreed {
        Agreed::Http1 => h1::serve(socket, service).await,
        // The preface is waited for under the bounds of a head. What comes in its place, hyper
        // answers as 9113 section 3.4 demands.
        Agreed::Http2 => match poll_fn(|cx| socket.poll_version(cx)).await {
            Spoken::Http1 | Spoken::Http2 => Box::pin(h2::serve(socket, service)).await,
            Spoken::Nothing => {}
        },
    }
}
