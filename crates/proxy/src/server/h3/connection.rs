//! One connection of HTTP/3: its streams, its drain, and its end (9114 5).

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use quinn::{RecvStream, SendStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::super::link::Link;
use super::super::request::{Peer, Service};
use super::super::stats::{Held, count};
use super::super::streams::resets::Resets;
use super::super::terms::Terms;
use super::beside::Beside;
use super::code::{Code, Fault};
use super::exchange::{self, Client, Ended};
use super::frame::{self, kind};
use super::varint;
use crate::config::Limits;
use crate::route::rate::Rate;
use crate::tls::Party;

/// What our control stream begins with: that it is one (9114 6.2.1).
const CONTROL: u64 = 0;
/// The settings that we send (9114 7.2.4.1, 9204 5).
const QPACK_MAX_TABLE_CAPACITY: u64 = 0x1;
const MAX_FIELD_SECTION_SIZE: u64 = 0x6;
const QPACK_BLOCKED_STREAMS: u64 = 0x7;
/// In a GOAWAY: nothing is refused yet (9114 5.2).
const EVERY_REQUEST: u64 = varint::MAX & !3;
/// Streams beside requests that a client may open in a second; three are of use.
const BESIDE_PER_SECOND: usize = 32;
/// How long a client is given to hear of a GOAWAY before a connection without a request is closed.
const FAREWELL: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(20)..=Duration::from_millis(500);

/// Serves a connection whose handshake is done, until it ends.
pub(super) async fn serve<S: Service>(
    connection: quinn::Connection,
    peer: Peer,
    party: Party,
    terms: Arc<Terms>,
    service: S,
) {
    count(&terms.stats.connections_h3);
    let link = Arc::new(Link::default());
    let _open = Held::new(&terms.stats.connections_open);
    let _listed = terms.drain.list(&link);
    let Some(control) = open_control(&connection, &terms.limits).await else { return };
    // A client may at any time give up all that it has open.
    let resets_max = terms.limits.resets_max + terms.limits.streams_max as usize;
    let client = Client { connection, peer, party, terms: terms.clone(), service };
    let serving = Serving {
        client: Arc::new(client),
        control,
        link,
        exchanges: JoinSet::new(),
        beside: Arc::new(Beside::new()),
        heard: JoinSet::new(),
        beside_rate: Rate::new(BESIDE_PER_SECOND),
        resets: Resets::new(resets_max),
        phase: Phase::Open,
        idle_since: Instant::now(),
        next_request: 0,
        began: Instant::now(),
    };
    serving.run().await;
}

/// Opens our control stream and sends our settings. QPACK's streams have nothing to say and are not
/// opened (9204 4.2).
async fn open_control(connection: &quinn::Connection, limits: &Limits) -> Option<SendStream> {
    let mut payload = Vec::new();
    for (id, value) in [
        (QPACK_MAX_TABLE_CAPACITY, 0),
        (MAX_FIELD_SECTION_SIZE, limits.head_bytes_max as u64),
        (QPACK_BLOCKED_STREAMS, 0),
    ] {
        varint::append(&mut payload, id);
        varint::append(&mut payload, value);
    }
    let mut bytes = Vec::new();
    varint::append(&mut bytes, CONTROL);
    frame::append(&mut bytes, kind::SETTINGS, &payload);
    let opened = timeout(limits.send_timeout, async {
        let mut stream = connection.open_uni().await.ok()?;
        stream.write_all(&bytes).await.ok()?;
        Some(stream)
    });
    // Without it no client could go on.
    opened.await.ok().flatten()
}

/// How far the end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It goes on.
    Open,
    /// The client was told to ask no more here; what it asks all the same until then is answered.
    Warned { until: Instant },
    /// What the client asks from now on is refused. It is closed with its last exchange, not before one
    /// time and not after the other.
    Closing { from: Instant, until: Instant },
}

/// A connection that is served.
struct Serving<S> {
    client: Arc<Client<S>>,
    control: SendStream,
    link: Arc<Link>,
    exchanges: JoinSet<Ended>,
    beside: Arc<Beside>,
    heard: JoinSet<Result<(), Fault>>,
    beside_rate: Rate,
    resets: Resets,
    phase: Phase,
    idle_since: Instant,
    /// The stream of the first request that was not accepted.
    next_request: u64,
    began: Instant,
}

/// Whether a connection goes on.
enum Next {
    GoOn,
    /// Its end was said, by whomever.
    Over,
    /// It is closed for that.
    Close(Code, &'static str),
}

impl<S: Service> Serving<S> {
    async fn run(mut self) {
        let connection = self.client.connection.clone();
        let control_stopped = self.control.stopped();
        tokio::pin!(control_stopped);
        loop {
            let deadline = self.deadline();
            let next = tokio::select! {
                biased;
                _ = connection.closed() => Next::Over,
                _ = &mut control_stopped => {
                    Next::Close(Code::ClosedCriticalStream, "the control stream was stopped")
                }
                Some(ended) = self.exchanges.join_next() => self.ended(ended),
                Some(heard) = self.heard.join_next() => self.heard(heard),
                () = begun(&self.client.terms, &self.link), if self.phase == Phase::Open => {
                    self.drain().await
                }
                stream = connection.accept_uni() => match stream {
                    Ok(stream) => self.hear(stream),
                    Err(_) => Next::Over,
                },
                stream = connection.accept_bi() => match stream {
                    Ok((send, receive)) => self.accept(send, receive),
                    Err(_) => Next::Over,
                },
                () = reached(deadline) => self.late().await,
            };
            match next {
                Next::GoOn => {}
                Next::Over => return,
                Next::Close(code, text) => {
                    return connection.close(code.into(), text.as_bytes());
                }
            }
        }
    }

    fn accept(&mut self, mut send: SendStream, mut receive: RecvStream) -> Next {
        match self.phase {
            Phase::Open | Phase::Warned { .. } => {}
            Phase::Closing { .. } => {
                // Such a request may be sent again elsewhere (9114 5.2).
                let _ = send.reset(Code::RequestRejected.into());
                let _ = receive.stop(Code::RequestRejected.into());
                return Next::GoOn;
            }
        }
        self.next_request = (send.id().index() + 1) << 2;
        self.exchanges.spawn(exchange::serve(self.client.clone(), send, receive));
        Next::GoOn
    }

    fn ended(&mut self, ended: Result<Ended, JoinError>) -> Next {
        self.idle_since = Instant::now();
        match ended {
            Ok(Ended::ByUs) => {}
            Ok(Ended::ByClient) => self.resets.add(),
            Err(_) => count(&self.client.terms.stats.panics),
        }
        if self.resets.are_flood() {
            count(&self.client.terms.stats.h3_floods);
            return Next::Close(Code::ExcessiveLoad, "too many requests are given up");
        }
        Next::GoOn
    }

    fn hear(&mut self, stream: RecvStream) -> Next {
        if !self.beside_rate.take(self.began.elapsed()) {
            return Next::Close(Code::ExcessiveLoad, "too many streams are opened");
        }
        let beside = self.beside.clone();
        self.heard.spawn(async move { beside.hear(stream).await });
        Next::GoOn
    }

    fn heard(&mut self, heard: Result<Result<(), Fault>, JoinError>) -> Next {
        match heard {
            Ok(Ok(())) => Next::GoOn,
            Ok(Err(fault)) => Next::Close(fault.code, fault.text),
            Err(_) => Next::Close(Code::InternalError, "the gateway failed"),
        }
    }

    /// The server stops. Where another process takes its place, who has no request under way may send
    /// one more meanwhile.
    async fn drain(&mut self) -> Next {
        let until = self.client.terms.drain.idle_end().unwrap_or_else(Instant::now);
        if until <= Instant::now() {
            return self.turn_away(self.client.terms.limits.drain_timeout).await;
        }
        self.phase = Phase::Warned { until };
        self.say_goaway(EVERY_REQUEST).await
    }

    /// What the last time of the present phase means.
    async fn late(&mut self) -> Next {
        let limits = &self.client.terms.limits;
        match self.phase {
            Phase::Open => self.turn_away(limits.send_timeout).await,
            Phase::Warned { .. } => self.turn_away(limits.drain_timeout).await,
            Phase::Closing { .. } => Next::Close(Code::NoError, ""),
        }
    }

    async fn turn_away(&mut self, patience: Duration) -> Next {
        let now = Instant::now();
        let farewell = self.client.connection.rtt() * 3;
        let from = now + farewell.clamp(*FAREWELL.start(), *FAREWELL.end());
        self.phase = Phase::Closing { from, until: from.max(now + patience) };
        self.say_goaway(self.next_request).await
    }

    async fn say_goaway(&mut self, first_refused: u64) -> Next {
        let (mut payload, mut bytes) = (Vec::new(), Vec::new());
        varint::append(&mut payload, first_refused);
        frame::append(&mut bytes, kind::GOAWAY, &payload);
        let patience = self.client.terms.limits.send_timeout;
        match timeout(patience, self.control.write_all(&bytes)).await {
            Ok(Ok(())) => Next::GoOn,
            Ok(Err(_)) | Err(_) => Next::Close(Code::NoError, ""),
        }
    }

    /// When something is to be done if nothing comes.
    fn deadline(&self) -> Option<Instant> {
        let is_idle = self.exchanges.is_empty();
        match self.phase {
            Phase::Open => is_idle.then(|| self.idle_since + self.client.terms.limits.idle_timeout),
            Phase::Warned { until } => Some(until),
            Phase::Closing { from, until } => Some(if is_idle { from } else { until }),
        }
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Waits until the server stops.
async fn begun(terms: &Terms, link: &Link) {
    poll_fn(|cx| {
        link.connection.register(cx.waker());
        if terms.drain.begun() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
