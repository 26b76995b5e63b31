//! A request as it arrives on its stream: bounded in size and in silence, its length as was said.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use quinn::{ReadError, RecvStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::super::link::InformationalSender;
use super::super::refusal::{Refusal, RefusalReason};
use super::code::{Code, Fault};
use super::head::{self, Head, Wrong};
use super::message::{Message, Part};
use super::qpack::Bounds;
use crate::answer::BodyError;
use crate::config::Limits;

/// Bytes taken off a stream at once.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Bytes of trailers, as HTTP/1 has them.
const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// A request under way. Dropped, it asks the client to send no more of it.
pub(super) struct Incoming {
    stream: RecvStream,
    message: Message,
    ending: Arc<Ending>,
    limits: Limits,
    /// What of the body is still to come, where that was said.
    left: Option<u64>,
    bytes_left: u64,
    /// What was read before somebody asked for it.
    ahead: Option<Frame<Bytes>>,
    is_over: bool,
    /// Tells a client that waits for it to send its body.
    expected: Option<InformationalSender>,
}

/// Why a request cannot be read on.
pub(super) enum Broken {
    /// The client has broken a rule.
    Fault(Fault),
    /// It is not taken.
    Refused(Refusal),
    /// The client has given it up, or is gone.
    Gone,
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Broken::Fault(fault)
    }
}

impl From<Wrong> for Broken {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Fault(fault) => Broken::Fault(fault),
            Wrong::Refused(reason, text) => Broken::Refused(Refusal::new(reason, text)),
        }
    }
}

/// How the reader of a body tells the one who answers that the client has broken a rule.
#[derive(Default)]
pub(super) struct Ending {
    fault: OnceLock<Fault>,
    told: Notify,
}

impl Ending {
    fn tell(&self, fault: Fault) {
        // Of two faults the first counts.
        let _ = self.fault.set(fault);
        self.told.notify_one();
    }

    /// Waits for a fault.
    pub(super) async fn fault(&self) -> Fault {
        loop {
            if let Some(fault) = self.fault.get() {
                return *fault;
            }
            self.told.notified().await;
        }
    }
}

impl Incoming {
    /// What comes on this stream.
    pub(super) fn new(stream: RecvStream, limits: &Limits) -> Self {
        Incoming {
            stream,
            message: Message::new(limits.head_bytes_max, TRAILER_BYTES_MAX),
            ending: Arc::default(),
            limits: limits.clone(),
            left: None,
            bytes_left: limits.body_bytes_max,
            ahead: None,
            is_over: false,
            expected: None,
        }
    }

    /// Where faults are told that are found behind the head.
    pub(super) fn ending(&self) -> Arc<Ending> {
        self.ending.clone()
    }

    /// Reads the head, and what follows it where that says whether there is a body at all.
    pub(super) async fn head(&mut self) -> Result<Head, Broken> {
        let section = match self.part().await? {
            Some(Part::Head(section)) => section,
            Some(Part::TooLarge) => return Err(too_large()),
            Some(Part::Body(_) | Part::Trailers(_)) | None => {
                let text = "the stream ends before a request's head";
                return Err(Fault::new(Code::RequestIncomplete, text).into());
            }
        };
        let head = head::read(section, &self.limits)?;
        self.left = head.length;
        if is_mostly_bodiless(&head) {
            self.ahead = self.frame().await?;
        }
        Ok(head)
    }

    /// Whether all of it was read, and there is nothing behind its head.
    pub(super) fn is_bodiless(&self) -> bool {
        self.is_over && self.ahead.is_none()
    }

    /// The body, for whoever reads it. Its first byte is asked for by `expected`, if the client waits
    /// for that.
    pub(super) fn into_body(
        mut self,
        expected: Option<InformationalSender>,
    ) -> impl Body<Data = Bytes, Error = BodyError> + Send + 'static {
        self.expected = expected;
        StreamBody::new(stream::unfold(Some(self), |incoming| async move {
            let mut incoming = incoming?;
            match incoming.frame_in_time().await {
                Ok(Some(frame)) => Some((Ok(frame), Some(incoming))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// Asks the client to send no more, for this reason.
    pub(super) fn stop(mut self, code: Code) {
        // One that was read to its end needs no word.
        let _ = self.stream.stop(code.into());
        self.is_over = true;
    }

    async fn frame_in_time(&mut self) -> Result<Option<Frame<Bytes>>, BodyError> {
        if let Some(expected) = self.expected.take().filter(|_| self.ahead.is_none()) {
            expected.send(StatusCode::CONTINUE, &HeaderMap::new());
        }
        let silence: Duration = self.limits.body_timeout;
        match timeout(silence, self.frame()).await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(Broken::Fault(fault))) => {
                self.ending.tell(fault);
                Err(fault.text.into())
            }
            Ok(Err(Broken::Refused(refusal))) if refusal.reason.is_malformed() => {
                self.ending.tell(Fault::new(Code::MessageError, refusal.text));
                Err(refusal.text.into())
            }
            Ok(Err(Broken::Refused(refusal))) => Err(refusal.text.into()),
            Ok(Err(Broken::Gone)) => {
                Err("cannot read the request body to its end: the client has given it up".into())
            }
            Err(_) => {
                let text = "cannot read the request body to its end: it said nothing for too long";
                Err(text.into())
            }
        }
    }

    /// The next piece of the body, or its trailers; `None` at its end.
    async fn frame(&mut self) -> Result<Option<Frame<Bytes>>, Broken> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        match self.part().await? {
            Some(Part::Body(bytes)) => {
                self.take_length(bytes.len() as u64)?;
                Ok(Some(Frame::data(bytes)))
            }
            Some(Part::Trailers(section)) => {
                self.check_length()?;
                let bounds =
                    Bounds { bytes_max: TRAILER_BYTES_MAX, fields_max: self.limits.fields_max };
                let trailers = head::read_trailers(section, bounds)?;
                // Whoever reads them reads no further; what follows them is a fault all the same.
                self.part().await?;
                Ok(Some(Frame::trailers(trailers)))
            }
            Some(Part::Head(_) | Part::TooLarge) => Err(too_large()),
            None => self.check_length().map(|()| None),
        }
    }

    async fn part(&mut self) -> Result<Option<Part>, Broken> {
        while !self.is_over {
            if let Some(part) = self.message.next()? {
                return Ok(Some(part));
            }
            match self.stream.read_chunk(READ_BYTES_MAX, true).await {
                Ok(Some(chunk)) => self.message.push(chunk.bytes),
                Ok(None) => {
                    self.is_over = true;
                    self.message.end()?;
                }
                Err(
                    ReadError::Reset(_)
                    | ReadError::ConnectionLost(_)
                    | ReadError::ClosedStream
                    | ReadError::IllegalOrderedRead
                    | ReadError::ZeroRttRejected,
                ) => return Err(Broken::Gone),
            }
        }
        Ok(None)
    }

    /// What is said of a body's length must be so (9114 4.1.2).
    fn take_length(&mut self, bytes: u64) -> Result<(), Broken> {
        if let Some(left) = &mut self.left {
            let text = "the request body is longer than was said";
            *left = left.checked_sub(bytes).ok_or(Fault::new(Code::MessageError, text))?;
        }
        let text = "cannot read the request body to its end: it is too long";
        let too_long = Broken::Refused(Refusal::new(RefusalReason::BodyTooLarge, text));
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(too_long)?;
        Ok(())
    }

    fn check_length(&self) -> Result<(), Broken> {
        match self.left {
            Some(left) if left > 0 => {
                let text = "the request body is shorter than was said";
                Err(Fault::new(Code::MessageError, text).into())
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_over {
            // An answer may be whole before its request is (9114 4.1).
            let _ = self.stream.stop(Code::NoError.into());
        }
    }
}

/// HTTP/3 says with no head whether a body follows. Where one is not likely, what follows is waited
/// for, within the head's time: it is the stream's end, which mostly came with the head.
fn is_mostly_bodiless(head: &Head) -> bool {
    match head.length {
        Some(length) => length == 0,
        None => matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS),
    }
}

fn too_large() -> Broken {
    let text = "a field section of the request is too large";
    Broken::Refused(Refusal::new(RefusalReason::HeadTooLarge, text))
}
