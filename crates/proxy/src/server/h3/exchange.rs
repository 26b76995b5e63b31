//! One request on its stream: read, checked, answered.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::EXPECT;
use http::{Method, Version};
use quinn::{RecvStream, SendStream};
use tokio::time::timeout;

use super::super::link::{InformationalSender, Link};
use super::super::misdirected;
use super::super::refusal::{Refusal, RefusalReason};
use super::super::request::{Peer, Refused, Request, RequestBody, Service};
use super::super::stats::count;
use super::super::streams::answer::{Next, Outgoing};
use super::super::terms::Terms;
use super::code::{Code, Fault};
use super::head::Head;
use super::incoming::{Broken, Ending, Incoming};
use super::reply::{Reply, Unsent};
use crate::answer::Answer;
use crate::tls::Party;

/// What the exchanges of a connection share.
pub(super) struct Client<S> {
    pub(super) connection: quinn::Connection,
    pub(super) peer: Peer,
    pub(super) party: Party,
    pub(super) terms: Arc<Terms>,
    pub(super) service: S,
}

/// Who has ended an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// We, in whatever way.
    ByUs,
    /// The client, before it had all of its answer.
    ByClient,
}

impl From<Unsent> for Ended {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Gone => Ended::ByClient,
            Unsent::Stalled => Ended::ByUs,
        }
    }
}

/// Serves one request.
pub(super) async fn serve<S: Service>(
    client: Arc<Client<S>>,
    send: SendStream,
    receive: RecvStream,
) -> Ended {
    let terms = &client.terms;
    let mut incoming = Incoming::new(receive, &terms.limits);
    let reply = Reply::new(send, terms.clone());
    let head = match timeout(terms.limits.head_timeout, incoming.head()).await {
        Ok(Ok(head)) => head,
        Ok(Err(Broken::Gone)) => return Ended::ByClient,
        Ok(Err(Broken::Fault(fault))) => return client.blame(fault, incoming, reply),
        Ok(Err(Broken::Refused(refusal))) if refusal.reason.is_malformed() => {
            client.note(Refused { status: None, ..Refused::new(client.peer, refusal) });
            return give_up(Code::MessageError, incoming, reply);
        }
        Ok(Err(Broken::Refused(refusal))) => return client.refuse(refusal, reply).await,
        Err(_) => {
            let refusal =
                Refusal::new(RefusalReason::HeadTimeout, "the request head took too long");
            return client.refuse(refusal, reply).await;
        }
    };
    let Some(_place) = terms.enter_exchange() else {
        let refusal = Refusal::new(RefusalReason::Overload, "too many requests at once");
        return client.refuse(refusal, reply).await;
    };
    if let Err(refusal) = misdirected::check(Some(&client.party), &head.fields) {
        return client.refuse(refusal, reply).await;
    }
    count(&terms.stats.requests);
    client.exchange(head, incoming, reply).await
}

impl<S: Service> Client<S> {
    /// Has the request answered, and writes the answer.
    async fn exchange(&self, head: Head, incoming: Incoming, mut reply: Reply) -> Ended {
        let link = Arc::new(Link::default());
        let informational = InformationalSender::new(link.clone(), link.begin());
        let (method, ending) = (head.method.clone(), incoming.ending());
        let request = self.request(head, incoming, informational);
        let mut given_up = pin!(reply.given_up());
        let answering = AssertUnwindSafe(async { self.service.answer(request).await });
        let mut answering = pin!(answering.catch_unwind());
        let answer = loop {
            tokio::select! {
                biased;
                () = &mut given_up => {
                    count(&self.terms.stats.clients_gone);
                    return Ended::ByClient;
                }
                fault = ending.fault() => return self.break_off(fault, reply),
                interim = poll_fn(|cx| link.poll_interim(cx)) => {
                    if let Err(unsent) = reply.interim(interim).await {
                        return unsent.into();
                    }
                }
                answer = &mut answering => break answer,
            }
        };
        if let Err(unsent) = reply.interim(link.take_interim()).await {
            return unsent.into();
        }
        // What is sent from here on is void.
        link.begin();
        match answer {
            Ok(answer) => self.answer(answer, &method, &ending, reply).await,
            Err(_) => {
                count(&self.terms.stats.panics);
                tracing::error!(peer = ?self.peer.address, "an exchange panicked");
                let text = "the gateway failed to answer";
                self.refuse(Refusal::new(RefusalReason::Failure, text), reply).await
            }
        }
    }

    fn request(
        &self,
        head: Head,
        incoming: Incoming,
        informational: InformationalSender,
    ) -> Request {
        let Head { method, target, fields, length } = head;
        let expected = fields.contains_key(EXPECT).then(|| informational.clone());
        let body = match incoming.is_bodiless() {
            true => RequestBody::empty(),
            false => RequestBody::from_stream(length, incoming.into_body(expected)),
        };
        let informational = Some(informational);
        let (version, peer) = (Version::HTTP_3, self.peer);
        Request { method, target, version, fields, body, peer, informational }
    }

    async fn answer(
        &self,
        answer: Answer,
        method: &Method,
        ending: &Ending,
        reply: Reply,
    ) -> Ended {
        match Outgoing::of(answer, method) {
            Ok(outgoing) => self.send(outgoing, ending, reply).await.unwrap_or_else(|unsent| {
                count(&self.terms.stats.answers_cut);
                unsent.into()
            }),
            Err(failure) => self.refuse(failure, reply).await,
        }
    }

    async fn send(
        &self,
        Outgoing { status, fields, mut rest }: Outgoing,
        ending: &Ending,
        mut reply: Reply,
    ) -> Result<Ended, Unsent> {
        reply.head(status, &fields).await?;
        let mut given_up = pin!(reply.given_up());
        loop {
            let next = tokio::select! {
                biased;
                () = &mut given_up => return Err(Unsent::Gone),
                fault = ending.fault() => return Ok(self.break_off(fault, reply)),
                next = poll_fn(|cx| rest.poll_next(cx)) => next,
            };
            match next {
                Next::Piece(bytes) => reply.piece(bytes).await?,
                Next::Trailers(trailers) => {
                    reply.trailers(&trailers).await?;
                    break;
                }
                Next::Broken(_) => {
                    count(&self.terms.stats.answers_broken);
                    reply.cancel(Code::InternalError);
                    return Ok(Ended::ByUs);
                }
                Next::End => break,
            }
        }
        // Nothing of the exchange is left but bytes on their way.
        drop(rest);
        reply.end().await.map(|()| Ended::ByUs)
    }

    async fn refuse(&self, refusal: Refusal, mut reply: Reply) -> Ended {
        self.note(Refused::new(self.peer, refusal));
        let Outgoing { status, fields, mut rest } = Outgoing::refusal(refusal);
        let sent = async {
            reply.head(status, &fields).await?;
            while let Next::Piece(bytes) = poll_fn(|cx| rest.poll_next(cx)).await {
                reply.piece(bytes).await?;
            }
            reply.end().await
        };
        sent.await.map_or_else(Ended::from, |()| Ended::ByUs)
    }

    /// The client has broken a rule before its request was one.
    fn blame(&self, fault: Fault, incoming: Incoming, reply: Reply) -> Ended {
        let refusal = Refusal::new(RefusalReason::Framing, fault.text);
        self.note(Refused { status: None, ..Refused::new(self.peer, refusal) });
        self.close(fault);
        give_up(fault.code, incoming, reply)
    }

    /// The client has broken a rule behind its head.
    fn break_off(&self, fault: Fault, reply: Reply) -> Ended {
        self.terms.stats.count_refused(RefusalReason::Framing);
        self.close(fault);
        reply.cancel(fault.code);
        Ended::ByUs
    }

    fn note(&self, refused: Refused) {
        self.terms.stats.count_refused(refused.reason);
        self.service.refused(&refused);
    }

    /// Closes the connection, where the fault is more than a request's.
    pub(super) fn close(&self, fault: Fault) {
        if !fault.code.is_of_stream() {
            self.connection.close(fault.code.into(), fault.text.as_bytes());
        }
    }
}

fn give_up(code: Code, incoming: Incoming, reply: Reply) -> Ended {
    incoming.stop(code);
    reply.cancel(code);
    Ended::ByUs
}
