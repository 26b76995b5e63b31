//! HTTP/2 from clients: hyper's connection, under our checks and bounds (9113).
//!
//! hyper and h2 read frames, keep streams and windows, and refuse what RFC 9113 calls malformed.
//! Ours is what they leave: bounds, targets and hosts as strict as with HTTP/1, stalls, the drain.

mod progress;
mod received;
mod replayed;
mod request;
mod response;

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::progress::{Answers, Progress};
use self::replayed::Replayed;
use self::response::ResponseBody;
use super::h1::Socket;
use super::misdirected;
use super::refusal::{Refusal, RefusalReason};
use super::request::{Peer, Refused, Service};
use super::stats::count;
use super::terms::Terms;
use super::wire::Wire;
use crate::config::Limits;
use crate::tls::Party;

/// Bytes of answers that wait in one stream's send buffer.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of request bodies that a client may send ahead, on a stream and on a connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Streams that we reset for the client's mistakes before the connection is closed
/// (CVE-2025-8671).
const OWN_RESETS_FACTOR: usize = 2;

/// Serves HTTP/2 on a socket whose preface was read, until it ends.
pub(super) async fn serve<IO: Wire + 'static, S: Service>(mut socket: Socket<IO>, service: S) {
    let terms = socket.terms.clone();
    count(&terms.stats.connections_h2);
    let (link, peer, party) = (socket.link.clone(), socket.peer, socket.party.take());
    let client = Client { peer, party };
    let io = Replayed::new(socket.take_input(), socket);
    // A client may at any time give up all that it has open.
    let resets_max = terms.limits.resets_max + terms.limits.streams_max as usize;
    let answers = Arc::new(Answers::new(link.clone(), resets_max));
    let serve_one = {
        let (terms, answers) = (terms.clone(), answers.clone());
        service_fn(move |request| {
            exchange(request, client.clone(), service.clone(), terms.clone(), answers.clone())
        })
    };
    let connection = builder(&terms.limits).serve_connection(TokioIo::new(io), serve_one);
    let mut connection = pin!(connection);
    let mut sweep = interval(sweep_interval(&terms.limits));
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut closing: Option<Instant> = None;
    poll_fn(|cx| {
        link.connection.register(cx.waker());
        if closing.is_none() && terms.drain.begun() {
            connection.as_mut().graceful_shutdown();
            closing = Some(Instant::now() + terms.limits.drain_timeout);
        }
        if answers.flooded() {
            count(&terms.stats.floods);
            return Poll::Ready(());
        }
        // Errors of a connection are the client's; its exchanges have been told.
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while sweep.poll_tick(cx).is_ready() {
            let now = Instant::now();
            if answers.stalled(now, terms.limits.send_timeout) {
                count(&terms.stats.stalls);
                return Poll::Ready(());
            }
            if closing.is_some_and(|until| now >= until) {
                return Poll::Ready(());
            }
            if closing.is_none() && answers.idle_for(now) >= terms.limits.idle_timeout {
                connection.as_mut().graceful_shutdown();
                closing = Some(now + terms.limits.send_timeout);
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    })
    .await;
}

fn builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_local_error_reset_streams(limits.resets_max * OWN_RESETS_FACTOR)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(limits.idle_timeout / 2)
        .keep_alive_timeout(limits.send_timeout);
    builder
}

/// Often enough that a bound is overstepped by a quarter at most.
fn sweep_interval(limits: &Limits) -> Duration {
    (limits.send_timeout.min(limits.idle_timeout) / 4).max(Duration::from_millis(10))
}

/// A malformed request ends its stream, as those do that h2 finds (9113 8.1.1).
fn malformed(refusal: Refusal, terms: &Terms, progress: &Progress) -> h2::Error {
    terms.stats.count_refused(refusal.reason);
    // The reset is ours, and nothing was begun that it leaves behind.
    progress.finish();
    h2::Error::from(h2::Reason::PROTOCOL_ERROR)
}

/// Who asks, and for whom the connection was secured, where it was.
#[derive(Clone)]
struct Client {
    peer: Peer,
    party: Option<Arc<Party>>,
}

/// One stream: its request checked, answered, and the answer put in HTTP/2's terms.
async fn exchange<S: Service>(
    request: http::Request<Incoming>,
    client: Client,
    service: S,
    terms: Arc<Terms>,
    answers: Arc<Answers>,
) -> Result<Response<ResponseBody>, h2::Error> {
    let Client { peer, party } = client;
    let progress = answers.begin();
    let method = request.method().clone();
    let Some(place) = terms.enter_exchange() else {
        let refusal = Refusal::new(RefusalReason::Overload, "too many requests at once");
        service.refused(&Refused::new(peer, refusal));
        return Ok(response::refusal(refusal, &terms, progress));
    };
    let checked = request::checked(request, peer, &terms).and_then(|request| {
        misdirected::check(party.as_deref(), &request.fields).map(|()| request)
    });
    let request = match checked {
        Ok(request) => request,
        Err(refusal) if refusal.reason.is_malformed() => {
            service.refused(&Refused { status: None, ..Refused::new(peer, refusal) });
            return Err(malformed(refusal, &terms, &progress));
        }
        Err(refusal) => {
            service.refused(&Refused::new(peer, refusal));
            return Ok(response::refusal(refusal, &terms, progress));
        }
    };
    count(&terms.stats.requests);
    let answer = AssertUnwindSafe(async { service.answer(request).await }).catch_unwind().await;
    let Ok(answer) = answer else {
        count(&terms.stats.panics);
        tracing::error!(peer = ?peer.address, "an exchange panicked");
        let refusal = Refusal::new(RefusalReason::Failure, "the gateway failed to answer");
        service.refused(&Refused::new(peer, refusal));
        return Ok(response::refusal(refusal, &terms, progress));
    };
    Ok(response::answer(answer, &method, &terms, progress, place))
}
