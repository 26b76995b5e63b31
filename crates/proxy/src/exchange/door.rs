//! The way in and out of an exchange: it takes a place among those under way, and when it leaves, its
//! reply is signed and told of.

use std::future::{Future, Ready};
use std::pin::Pin;

use futures_util::future::Either;
use tokio::time::Instant;

use super::exchange;
use super::refusals::OVERLOADED;
use crate::answer::Answer;
use crate::ask::{Ask, Refusal};
use crate::forward::Trust;
use crate::gateway::{Gateway, Live, Place};
use crate::redirect;
use crate::reply::Reply;
use crate::server::{Refused, Request, Service, Transport};
use crate::telemetry::Telling;
use crate::traceparent::Here;

/// An answer, or the rest of the story that leads to one. Only what waits is a future of its own, in
/// a box: what a future may grow to is copied whenever it is moved.
pub(super) type Exchange = Either<Ready<Answer>, Pin<Box<dyn Future<Output = Answer> + Send>>>;

impl Service for Gateway {
    fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send {
        exchange(self.clone(), request)
    }

    fn refused(&self, refused: &Refused) {
        self.telemetry().refused(refused);
    }
}

impl Service for Live {
    fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send {
        exchange(self.now(), request)
    }

    fn refused(&self, refused: &Refused) {
        self.now().telemetry().refused(refused);
    }
}

/// The way out. Dropped, nobody is told of the exchange: its client has left.
pub(super) struct Exit {
    place: Place,
    transport: Transport,
    telling: Telling,
    here: Option<Here>,
}

impl Exit {
    /// Enters, or answers that there is no place.
    pub(super) fn enter(
        gateway: Gateway,
        request: &Request,
        began: Instant,
    ) -> Result<Self, Box<Answer>> {
        let here = gateway.telemetry().tracer.begin(&request.fields, || {
            Trust::of(request.peer.address, &gateway.config().trusted_peers)
        });
        let telling = gateway.telemetry().begin(request, began, here);
        let transport = request.peer.transport;
        match gateway.enter() {
            Ok(place) => Ok(Exit { place, transport, telling, here }),
            Err(gateway) => {
                let refused = Reply::refused(&gateway, OVERLOADED);
                Err(Box::new(leave(&gateway, transport, refused, None, telling)))
            }
        }
    }

    pub(super) fn gateway(&self) -> &Gateway {
        self.place.gateway()
    }

    /// Where in a trace it is.
    pub(super) fn here(&self) -> Option<Here> {
        self.here
    }

    /// The same, now that it is known where the request leads.
    pub(super) fn on(self, ask: &Ask) -> Self {
        Exit { telling: self.telling.on(&ask.lane.name, || ask.url()), ..self }
    }

    /// Leaves with a reply.
    pub(super) fn with(self, reply: Reply, ask: Option<&Ask>) -> Answer {
        leave(self.place.gateway(), self.transport, reply, ask, self.telling)
    }

    /// Leaves with a refusal.
    pub(super) fn refused(self, refusal: Refusal) -> Answer {
        let reply = Reply::refused(self.gateway(), refusal);
        self.with(reply, None)
    }
}

fn leave(
    gateway: &Gateway,
    transport: Transport,
    reply: Reply,
    ask: Option<&Ask>,
    telling: Telling,
) -> Answer {
    let mut answer = reply.into_answer(gateway, ask, telling);
    match transport {
        Transport::Tls => {
            redirect::remember(&gateway.config().tls, &mut answer);
            gateway.tls().iter().for_each(|tls| redirect::invite(tls, &mut answer));
        }
        Transport::Plain => {}
    }
    answer
}
