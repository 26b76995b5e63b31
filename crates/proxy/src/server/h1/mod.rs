//! HTTP/1.0 and 1.1 from clients: one strict reading of each message, one write an answer.
//!
//! `head` reads heads, `encode` writes them, over what `http1` has for both sides; `receive`, `ask`
//! and `reply` are the three steps of an exchange over a `socket`; this file is the loop of them.

mod ask;
mod close;
mod encode;
mod head;
mod receive;
mod reply;
mod socket;
mod tunnel;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use http::{StatusCode, Version};

use self::ask::{Incoming, Outcome, Slot};
use self::encode::{Ending, Outgoing, Persistence, append_head, outgoing};
use self::head::{Asked, Framing, Head};
use self::receive::{Received, Waiting};
use self::reply::{Sending, Unfinished};
use super::link::InformationalSender;
use super::misdirected;
use super::refusal::{Refusal, RefusalReason};
use super::request::{Refused, Request, RequestBody, Service};
use super::stats::count;
use super::wire::Wire;
use crate::answer::{Answer, AnswerBody};
use crate::http1::{BodyBounds, Decoder, Padding};

pub(super) use self::close::{LINGER, LINGER_BYTES_MAX};
pub(super) use self::encode::is_servers_own;
#[cfg(feature = "http3")]
pub(super) use self::head::content_length;
pub(super) use self::receive::Spoken;
pub(super) use self::socket::Socket;

/// Bytes of an unread request body that are taken off so that the connection can go on.
const REST_BYTES_MAX: usize = 64 * 1024;

/// What follows an answer on its connection.
enum Next {
    /// The next request.
    Request,
    /// A close that lets the client read all that was sent.
    Close,
    /// No word more: the client is gone, or sees by the framing that something is missing.
    Cut,
    /// A reset, because a plain close would look like the end of the body.
    Abort,
    /// A tunnel to the origin.
    Tunnel(Box<Answer>),
    /// A refusal, then a close.
    Refuse(Refusal),
}

/// Serves HTTP/1 on a socket until it ends.
pub(super) async fn serve<IO: Wire, S: Service>(mut socket: Socket<IO>, service: S) {
    let mut slot = Slot::new();
    let mut waiting = Waiting::new();
    loop {
        let head = match poll_fn(|cx| socket.poll_head(cx, &mut waiting)).await {
            Received::Request(head) => {
                match misdirected::check(socket.party.as_deref(), &head.fields) {
                    Ok(()) => head,
                    Err(refusal) => return refuse(socket, &service, refusal).await,
                }
            }
            Received::Refused(refusal) => return refuse(socket, &service, refusal).await,
            Received::Idle => {
                slot.release();
                socket.release();
                continue;
            }
            Received::Over => return,
        };
        let Some(place) = socket.terms.enter_exchange() else {
            let refusal = Refusal::new(RefusalReason::Overload, "too many requests at once");
            return refuse(socket, &service, refusal).await;
        };
        let asked = head.asked;
        let mut incoming =
            Incoming { decoder: decoder(&socket, head.framing), unasked: head.expects_continue };
        let request = request(&socket, head);
        let begun = catch_unwind(AssertUnwindSafe(|| slot.put(service.answer(request))));
        let outcome = match begun {
            Ok(()) => poll_fn(|cx| socket.poll_exchange(cx, &mut slot, &mut incoming)).await,
            Err(_) => Outcome::Panicked,
        };
        slot.clear();
        let next = match conclude(&mut socket, outcome, asked, &mut incoming) {
            Begun::Not(next) => next,
            begun => send(&mut socket, begun, &mut incoming).await,
        };
        // A tunnel is an exchange while it lasts. A connection that only ends is none: whoever
        // lets it linger would keep others out.
        let _place = matches!(next, Next::Tunnel(_)).then_some(place);
        match next {
            Next::Request => waiting = Waiting::new(),
            Next::Close => return Box::pin(socket.close()).await,
            Next::Cut => return,
            Next::Abort => return socket.io.break_off(),
            Next::Tunnel(answer) => return Box::pin(socket.tunnel(*answer)).await,
            Next::Refuse(refusal) => return refuse(socket, &service, refusal).await,
        }
    }
}

/// Tells a client that never came to ask, and closes.
pub(super) async fn refuse_unasked<IO: Wire>(socket: Socket<IO>, refusal: Refusal) {
    Box::pin(socket.refuse(refusal)).await;
}

/// Tells the service, then the client, and closes. In a box, as it is rare and its state is large.
fn refuse<IO: Wire>(
    socket: Socket<IO>,
    service: &impl Service,
    refusal: Refusal,
) -> Pin<Box<impl Future<Output = ()>>> {
    service.refused(&Refused::new(socket.peer, refusal));
    Box::pin(socket.refuse(refusal))
}

fn conclude<IO: Wire>(
    socket: &mut Socket<IO>,
    outcome: Outcome,
    asked: Asked,
    incoming: &mut Incoming,
) -> Begun {
    match outcome {
        Outcome::Answer(answer) => begin(socket, answer, asked, incoming),
        Outcome::Refused(refusal) => Begun::Not(Next::Refuse(refusal)),
        Outcome::Panicked => {
            count(&socket.terms.stats.panics);
            tracing::error!(peer = ?socket.peer.address, "an exchange panicked");
            Begun::Not(Next::Refuse(failure()))
        }
        Outcome::Gone => {
            count(&socket.terms.stats.clients_gone);
            Begun::Not(Next::Cut)
        }
    }
}

fn decoder<IO: Wire>(socket: &Socket<IO>, framing: Framing) -> Decoder {
    let limits = &socket.terms.limits;
    match framing {
        Framing::Length(length) => Decoder::counted(length),
        Framing::Chunked => Decoder::chunked(BodyBounds {
            bytes_max: limits.body_bytes_max,
            trailer_lines_max: limits.fields_max,
            padding: Padding::Refused,
        }),
    }
}

fn request<IO: Wire>(socket: &Socket<IO>, head: Head) -> Request {
    count(&socket.terms.stats.requests);
    let exchange = socket.link.begin();
    let body = match head.framing {
        Framing::Length(0) => RequestBody::empty(),
        Framing::Length(length) => {
            RequestBody::from_link(socket.link.clone(), exchange, Some(length))
        }
        Framing::Chunked => RequestBody::from_link(socket.link.clone(), exchange, None),
    };
    let informational = (head.version == Version::HTTP_11)
        .then(|| InformationalSender::new(socket.link.clone(), exchange));
    Request {
        method: head.method,
        target: head.target,
        version: head.version,
        fields: head.fields,
        body,
        peer: socket.peer,
        informational,
    }
}

/// What is left of an answer once its head lies in the output.
enum Begun {
    /// Nothing: all of it lies there.
    Whole(Persistence),
    /// A body that arrives.
    Arriving(Sending, Ending, Persistence),
    /// There is no such answer.
    Not(Next),
}

async fn send<IO: Wire>(socket: &mut Socket<IO>, begun: Begun, incoming: &mut Incoming) -> Next {
    let persistence = match begun {
        Begun::Whole(persistence) => persistence,
        Begun::Arriving(mut sending, ending, persistence) => {
            let sent = poll_fn(|cx| socket.poll_send(cx, &mut sending, incoming)).await;
            if let Err(unfinished) = sent {
                return abort(socket, unfinished, ending).await;
            }
            persistence
        }
        Begun::Not(next) => return next,
    };
    finish(socket, incoming, persistence).await
}

/// Puts an answer's head into the output, and its body if that is all there.
fn begin<IO: Wire>(
    socket: &mut Socket<IO>,
    mut answer: Answer,
    asked: Asked,
    incoming: &mut Incoming,
) -> Begun {
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        let ready = asked.upgrade && answer.tunnel.is_some() && incoming.decoder.is_done();
        let refused = || Next::Refuse(failure());
        return Begun::Not(if ready { Next::Tunnel(Box::new(answer)) } else { refused() });
    }
    let body = std::mem::replace(&mut answer.body, AnswerBody::None);
    let Some(outgoing) = outgoing(answer.status, body, asked) else {
        return Begun::Not(Next::Refuse(failure()));
    };
    let persistence = persistence(socket, &outgoing, asked, incoming);
    append_head(&mut socket.output.bytes, &answer, &outgoing, asked, persistence);
    match outgoing {
        Outgoing::Nothing(_) => {}
        Outgoing::Whole(bytes) => socket.output.append_piece(bytes, b""),
        Outgoing::Stream { frames, ending } => {
            return Begun::Arriving(Sending::new(frames, ending, asked), ending, persistence);
        }
    }
    Begun::Whole(persistence)
}

/// Whether the connection can go on behind this answer. A client that still waits for
/// `100 Continue` may send its body or not: nobody could tell it from a request (9110 10.1.1).
fn persistence<IO: Wire>(
    socket: &Socket<IO>,
    outgoing: &Outgoing,
    asked: Asked,
    incoming: &mut Incoming,
) -> Persistence {
    let unasked = std::mem::take(&mut incoming.unasked) && !incoming.decoder.is_done();
    let close_delimited = matches!(outgoing, Outgoing::Stream { ending: Ending::Close, .. });
    let goes_on = asked.keep_alive
        && !unasked
        && !close_delimited
        && incoming.decoder.left() <= REST_BYTES_MAX as u64
        && !socket.terms.drain.begun();
    if goes_on { Persistence::Keep } else { Persistence::Close }
}

/// The answer is in the output; the rest of the request is taken off, or the connection closed.
async fn finish<IO: Wire>(
    socket: &mut Socket<IO>,
    incoming: &mut Incoming,
    persistence: Persistence,
) -> Next {
    if !socket.output.has_room() && poll_fn(|cx| socket.poll_output(cx)).await.is_err() {
        count(&socket.terms.stats.answers_cut);
        return Next::Cut;
    }
    if persistence == Persistence::Close {
        return Next::Close;
    }
    if incoming.decoder.is_done() {
        return Next::Request;
    }
    socket.link.begin();
    if poll_fn(|cx| socket.poll_output(cx)).await.is_err() {
        return Next::Cut;
    }
    let mut bytes_left = REST_BYTES_MAX;
    let whole = poll_fn(|cx| socket.poll_rest(cx, incoming, &mut bytes_left)).await;
    socket.read_deadline = None;
    if whole { Next::Request } else { Next::Close }
}

/// An answer that stays unfinished: what there is of it is written, and then no more.
async fn abort<IO: Wire>(socket: &mut Socket<IO>, unfinished: Unfinished, ending: Ending) -> Next {
    match unfinished {
        Unfinished::Client(_) => {
            count(&socket.terms.stats.answers_cut);
            Next::Cut
        }
        Unfinished::Body => {
            count(&socket.terms.stats.answers_broken);
            // Should this fail too, the connection is cut all the same.
            let _ = poll_fn(|cx| socket.poll_output(cx)).await;
            if ending == Ending::Close { Next::Abort } else { Next::Cut }
        }
    }
}

fn failure() -> Refusal {
    Refusal::new(RefusalReason::Failure, "the gateway failed to answer")
}
