//! Waiting for the next request head, with all that may come instead.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::super::refusal::{Refusal, RefusalReason};
use super::super::stats::count;
use super::super::wire::Wire;
use super::head::{self, Head};
use super::socket::{Read, Socket};
use crate::http1::Scan;

/// How long an idle connection keeps its buffers.
const BUFFERS_IDLE: Duration = Duration::from_secs(1);
/// The first bytes of a client that speaks HTTP/2 without asking (9113 3.4).
pub(in super::super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What came in place of a request head, or the head.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one match; a box would be an allocation a request"
)]
pub(super) enum Received {
    Request(Head),
    Refused(Refusal),
    /// Nothing for a while; worth giving memory back.
    Idle,
    /// The connection is over, in good order or not.
    Over,
}

/// Which version a connection speaks.
pub(in super::super) enum Spoken {
    Http1,
    Http2,
    /// It ended before that was known.
    Nothing,
}

/// How a wait for the next request stands.
pub(super) struct Waiting {
    scan: Scan,
    since: Instant,
    /// Whether `Idle` was said.
    rested: bool,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Waiting { scan: Scan::default(), since: Instant::now(), rested: false }
    }
}

impl<IO: Wire> Socket<IO> {
    /// Waits for the next request head; answers that wait go out before it waits.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
    ) -> Poll<Received> {
        loop {
            let bounds = head::bounds(&self.terms.limits);
            match waiting.scan.request_head(&self.input, bounds) {
                Err(fault) => return Poll::Ready(Received::Refused(fault.into())),
                Ok(Some(block)) => {
                    self.read_deadline = None;
                    let head = head::parse(&mut self.input, block, &self.terms.limits);
                    return Poll::Ready(match head {
                        Ok(head) => Received::Request(head),
                        Err(refusal) => Received::Refused(refusal),
                    });
                }
                Ok(None) => {}
            }
            let flushed = match self.poll_output(cx) {
                Poll::Ready(Err(_)) => {
                    count(&self.terms.stats.answers_cut);
                    return Poll::Ready(Received::Over);
                }
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            self.link.connection.register(cx.waker());
            if flushed && self.input.is_empty() && self.is_idle_over() {
                return Poll::Ready(Received::Over);
            }
            let deadline = self.read_deadline;
            match self.poll_read(cx) {
                Poll::Ready(Ok(Read::Some)) => self.read_deadline = deadline,
                Poll::Ready(Ok(Read::End)) if !flushed => return Poll::Pending,
                Poll::Ready(Ok(Read::End) | Err(_)) => return Poll::Ready(Received::Over),
                Poll::Pending => return self.poll_patience(cx, waiting),
            }
        }
    }

    /// Whether the server drains, and a connection without a request is borne with no longer.
    fn is_idle_over(&self) -> bool {
        self.terms.drain.idle_end().is_some_and(|end| Instant::now() >= end)
    }

    /// Nothing came: how long is that borne?
    fn poll_patience(&mut self, cx: &mut Context<'_>, waiting: &mut Waiting) -> Poll<Received> {
        if !self.input.is_empty() {
            ready!(self.poll_silence(cx, self.terms.limits.head_timeout));
            let text = "the request head took too long";
            return Poll::Ready(Received::Refused(Refusal::new(RefusalReason::HeadTimeout, text)));
        }
        let idle = waiting.since + self.terms.limits.idle_timeout;
        let idle = self.terms.drain.idle_end().map_or(idle, |end| idle.min(end));
        let rest = waiting.since + BUFFERS_IDLE;
        if !waiting.rested && self.holds_buffers() && rest < idle {
            ready!(self.poll_moment(cx, rest));
            waiting.rested = true;
            return Poll::Ready(Received::Idle);
        }
        ready!(self.poll_moment(cx, idle));
        Poll::Ready(Received::Over)
    }

    /// Reads until it is clear which version is spoken, without taking anything off the input.
    pub(in super::super) fn poll_version(&mut self, cx: &mut Context<'_>) -> Poll<Spoken> {
        loop {
            let seen = self.input.len().min(PREFACE.len());
            if self.input[..seen] != PREFACE[..seen] {
                return Poll::Ready(Spoken::Http1);
            }
            if seen == PREFACE.len() {
                return Poll::Ready(Spoken::Http2);
            }
            self.link.connection.register(cx.waker());
            if seen == 0 && self.is_idle_over() {
                return Poll::Ready(Spoken::Nothing);
            }
            let deadline = self.read_deadline.filter(|_| seen > 0);
            match self.poll_read(cx) {
                Poll::Ready(Ok(Read::Some)) => self.read_deadline = deadline,
                Poll::Ready(Ok(Read::End) | Err(_)) => return Poll::Ready(Spoken::Nothing),
                Poll::Pending => {
                    let limits = &self.terms.limits;
                    let bound = if seen == 0 { limits.idle_timeout } else { limits.head_timeout };
                    if let (0, Some(end)) = (seen, self.terms.drain.idle_end()) {
                        ready!(self.poll_moment(cx, end));
                    }
                    ready!(self.poll_silence(cx, bound));
                    return Poll::Ready(Spoken::Nothing);
                }
            }
        }
    }
}
