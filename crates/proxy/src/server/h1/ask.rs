//! One exchange from its head to its answer: the service is polled, the request body is brought to
//! it as it asks for it, interim heads go out, and a client that goes away ends it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use http_body::Frame;

use super::super::link::{Interim, Link};
use super::super::refusal::{Refusal, RefusalReason};
use super::super::wire::Wire;
use super::encode::append_interim_head;
use super::socket::{AHEAD_BYTES_MAX, Broken, Read, Socket};
use crate::answer::Answer;
use crate::http1::{Decoded, Decoder};

/// The future of an exchange, in a box that is used again for the next one.
pub(super) struct Slot<F>(Option<Pin<Box<Option<F>>>>);

impl<F: Future> Slot<F> {
    pub(super) fn new() -> Self {
        Slot(None)
    }

    pub(super) fn put(&mut self, future: F) {
        match &mut self.0 {
            Some(place) => place.as_mut().set(Some(future)),
            None => self.0 = Some(Box::pin(Some(future))),
        }
    }

    /// Drops the future and keeps the box.
    pub(super) fn clear(&mut self) {
        if let Some(place) = &mut self.0 {
            place.as_mut().set(None);
        }
    }

    pub(super) fn release(&mut self) {
        self.0 = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.0.as_mut().and_then(|place| place.as_mut().as_pin_mut()) {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

/// A request body that still comes in.
pub(super) struct Incoming {
    pub(super) decoder: Decoder,
    /// Whether the client waits for `100 Continue` and has not been sent it.
    pub(super) unasked: bool,
}

/// How an exchange came to its end before its answer went out.
pub(super) enum Outcome {
    Answer(Answer),
    /// The request turned out not to be sound, or its body stayed away.
    Refused(Refusal),
    Panicked,
    /// The client is gone.
    Gone,
}

/// Why an exchange cannot go on.
pub(super) enum Trouble {
    Broken(Broken),
    Refused(Refusal),
}

impl<IO: Wire> Socket<IO> {
    pub(super) fn poll_exchange<F: Future<Output = Answer>>(
        &mut self,
        cx: &mut Context<'_>,
        slot: &mut Slot<F>,
        incoming: &mut Incoming,
    ) -> Poll<Outcome> {
        let polled = catch_unwind(AssertUnwindSafe(|| slot.poll(cx)));
        for Interim { status, fields } in self.link.take_interim() {
            append_interim_head(&mut self.output.bytes, status, &fields);
        }
        match polled {
            Ok(Poll::Ready(answer)) => return Poll::Ready(Outcome::Answer(answer)),
            Ok(Poll::Pending) => {}
            Err(_) => return Poll::Ready(Outcome::Panicked),
        }
        match self.tend(cx, incoming) {
            Ok(()) => Poll::Pending,
            Err(Trouble::Refused(refusal)) => Poll::Ready(Outcome::Refused(refusal)),
            Err(Trouble::Broken(_)) => Poll::Ready(Outcome::Gone),
        }
    }

    /// What is done whenever an exchange waits: write, bring in the request body, notice that the
    /// client has gone. A client that only closed its own direction is still there (9112 9.6).
    pub(super) fn tend(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
    ) -> Result<(), Trouble> {
        self.link.connection.register(cx.waker());
        if let Poll::Ready(Err(broken)) = self.poll_output(cx) {
            return Err(Trouble::Broken(broken));
        }
        while self.link.body_wanted() {
            match self.poll_body(cx, incoming) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(trouble)) => return Err(self.end_body(trouble)),
                Poll::Pending => return Ok(()),
            }
        }
        self.read_deadline = None;
        while self.input.len() < AHEAD_BYTES_MAX && !self.input_ended {
            match self.poll_read(cx) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Err(Trouble::Broken(Broken::Transport)),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Gives the reader of the body what it waits for.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
    ) -> Poll<Result<(), Trouble>> {
        loop {
            match incoming.decoder.decode(&mut self.input) {
                Err(fault) => return Poll::Ready(Err(Trouble::Refused(fault.into()))),
                Ok(Decoded::Hungry) => {}
                Ok(decoded) => {
                    give(&self.link, decoded);
                    return Poll::Ready(Ok(()));
                }
            }
            if std::mem::take(&mut incoming.unasked) && self.input.is_empty() {
                append_interim_head(
                    &mut self.output.bytes,
                    StatusCode::CONTINUE,
                    &Default::default(),
                );
                if let Poll::Ready(Err(broken)) = self.poll_output(cx) {
                    return Poll::Ready(Err(Trouble::Broken(broken)));
                }
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(Read::Some)) => {}
                Poll::Ready(Ok(Read::End) | Err(_)) => {
                    return Poll::Ready(Err(Trouble::Broken(Broken::Transport)));
                }
                Poll::Pending => {
                    ready!(self.poll_silence(cx, self.terms.limits.body_timeout));
                    let text = "the request body said nothing for too long";
                    let refusal = Refusal::new(RefusalReason::BodyTimeout, text);
                    return Poll::Ready(Err(Trouble::Refused(refusal)));
                }
            }
        }
    }

    fn end_body(&self, trouble: Trouble) -> Trouble {
        let cause = match &trouble {
            Trouble::Broken(_) => "the client went away",
            Trouble::Refused(refusal) => refusal.text,
        };
        self.link.fail_body(format!("cannot read the request body to its end: {cause}").into());
        trouble
    }

    /// Takes what is left of a body that nobody reads off the input. Ready with whether it came to
    /// its end within the bounds; only then does the next request begin behind it (CVE-2025-4366).
    pub(super) fn poll_rest(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
        bytes_left: &mut usize,
    ) -> Poll<bool> {
        loop {
            match incoming.decoder.decode(&mut self.input) {
                Err(_) => return Poll::Ready(false),
                Ok(Decoded::End) => return Poll::Ready(true),
                Ok(Decoded::Trailers(_)) => {}
                Ok(Decoded::Bytes(bytes)) => {
                    let Some(left) = bytes_left.checked_sub(bytes.len()) else {
                        return Poll::Ready(false);
                    };
                    *bytes_left = left;
                }
                Ok(Decoded::Hungry) => {
                    let deadline = self.read_deadline;
                    match self.poll_read(cx) {
                        Poll::Ready(Ok(Read::Some)) => self.read_deadline = deadline,
                        Poll::Ready(Ok(Read::End) | Err(_)) => return Poll::Ready(false),
                        Poll::Pending => {
                            ready!(self.poll_silence(cx, self.terms.limits.body_timeout));
                            return Poll::Ready(false);
                        }
                    }
                }
            }
        }
    }
}

fn give(link: &Link, decoded: Decoded) {
    match decoded {
        Decoded::Bytes(bytes) => link.give_frame(Frame::data(bytes)),
        Decoded::Trailers(trailers) => link.give_frame(Frame::trailers(trailers)),
        Decoded::End => link.end_body(),
        Decoded::Hungry => {}
    }
}
