//! What an HTTP/1 connection (or one HTTP/3 stream) and the exchange on it say to each other while the exchange runs:
//! body frames wanted and given, interim heads to send, and "wake up".
//!
//! One is made for each connection and used by all its exchanges, told apart by a number, so that
//! whoever keeps a body or a sender of an exchange that is over reaches nothing.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use parking_lot::Mutex;

use crate::answer::BodyError;

/// Bytes of interim heads that may wait for one exchange; more are not sent.
const INFORMATIONAL_BYTES_MAX: usize = 32 * 1024;
/// What a head counts beside its fields, and each field beside its name and value.
const HEAD_BYTES: usize = 64;
const FIELD_BYTES: usize = 4;

/// The shared end of one connection.
#[derive(Default)]
pub(super) struct Link {
    /// The connection's task.
    pub(super) connection: AtomicWaker,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exchange: u64,
    interim: Vec<Interim>,
    interim_bytes: usize,
    body: BodySlot,
}

/// An interim response that waits to be written.
pub(super) struct Interim {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
}

/// One frame at most lies here, so that the socket is read no faster than the body.
#[derive(Default)]
enum BodySlot {
    /// Nobody reads: not begun, or dropped.
    #[default]
    Unread,
    /// The reader waits for a frame.
    Wanted(Waker),
    /// A frame waits for the reader.
    Filled(Result<Frame<Bytes>, BodyError>),
    /// The reader took a frame and has not asked again.
    Taken,
    /// All of it was put here.
    Ended,
}

impl Link {
    /// Begins the next exchange; whatever belonged to the one before is void.
    pub(super) fn begin(&self) -> u64 {
        let mut state = self.state.lock();
        state.exchange += 1;
        (state.interim, state.interim_bytes) = (Vec::new(), 0);
        if let BodySlot::Wanted(reader) = std::mem::take(&mut state.body) {
            reader.wake();
        }
        state.exchange
    }

    /// Ends the body with an error for whoever still reads it.
    pub(super) fn fail_body(&self, error: BodyError) {
        let mut state = self.state.lock();
        if let BodySlot::Wanted(reader) =
            std::mem::replace(&mut state.body, BodySlot::Filled(Err(error)))
        {
            reader.wake();
        }
    }

    /// Whether the reader waits for a frame.
    pub(super) fn body_wanted(&self) -> bool {
        matches!(self.state.lock().body, BodySlot::Wanted(_))
    }

    /// Gives the reader its next frame.
    pub(super) fn give_frame(&self, frame: Frame<Bytes>) {
        self.replace_wanted(BodySlot::Filled(Ok(frame)));
    }

    /// Tells the reader that the body is whole.
    pub(super) fn end_body(&self) {
        self.replace_wanted(BodySlot::Ended);
    }

    fn replace_wanted(&self, next: BodySlot) {
        let mut state = self.state.lock();
        if let BodySlot::Wanted(reader) = std::mem::replace(&mut state.body, next) {
            reader.wake();
        }
    }

    /// Takes the interim responses that wait to be written.
    pub(super) fn take_interim(&self) -> Vec<Interim> {
        let mut state = self.state.lock();
        state.interim_bytes = 0;
        std::mem::take(&mut state.interim)
    }

    /// The same, for who does nothing else meanwhile.
    #[cfg(feature = "http3")]
    pub(super) fn poll_interim(&self, cx: &mut Context<'_>) -> Poll<Vec<Interim>> {
        self.connection.register(cx.waker());
        let waiting = self.take_interim();
        if waiting.is_empty() { Poll::Pending } else { Poll::Ready(waiting) }
    }

    pub(super) fn poll_body(
        &self,
        exchange: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.state.lock();
        if state.exchange != exchange {
            return Poll::Ready(Some(Err(
                "cannot read the request body: its exchange is over".into()
            )));
        }
        match std::mem::replace(&mut state.body, BodySlot::Taken) {
            BodySlot::Filled(frame) => Poll::Ready(Some(frame)),
            BodySlot::Ended => {
                state.body = BodySlot::Ended;
                Poll::Ready(None)
            }
            BodySlot::Wanted(_) => {
                state.body = BodySlot::Wanted(cx.waker().clone());
                Poll::Pending
            }
            BodySlot::Unread | BodySlot::Taken => {
                state.body = BodySlot::Wanted(cx.waker().clone());
                drop(state);
                self.connection.wake();
                Poll::Pending
            }
        }
    }

    pub(super) fn body_ended(&self, exchange: u64) -> bool {
        let state = self.state.lock();
        state.exchange == exchange && matches!(state.body, BodySlot::Ended)
    }

    pub(super) fn release_body(&self, exchange: u64) {
        let mut state = self.state.lock();
        if state.exchange == exchange {
            state.body = BodySlot::Unread;
        }
    }
}

/// Sends interim (1xx) heads to the client of one exchange, before its answer.
#[derive(Clone)]
pub struct InformationalSender {
    link: Arc<Link>,
    exchange: u64,
}

impl InformationalSender {
    pub(super) fn new(link: Arc<Link>, exchange: u64) -> Self {
        InformationalSender { link, exchange }
    }

    /// Sends one interim head. Without effect for what is not an interim status, for 101, after the
    /// answer has begun, and when more than 32 KiB of them wait.
    pub fn send(&self, status: StatusCode, fields: &HeaderMap) {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let mut state = self.link.state.lock();
        if state.exchange != self.exchange || state.interim_bytes > INFORMATIONAL_BYTES_MAX {
            return;
        }
        let field = |(name, value): (&HeaderName, &HeaderValue)| {
            name.as_str().len() + value.len() + FIELD_BYTES
        };
        state.interim_bytes += HEAD_BYTES + fields.iter().map(field).sum::<usize>();
        state.interim.push(Interim { status, fields: fields.clone() });
        drop(state);
        self.link.connection.wake();
    }
}
