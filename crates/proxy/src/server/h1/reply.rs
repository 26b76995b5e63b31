//! An answer on its way to the client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;

use super::super::wire::Wire;
use super::ask::{Incoming, Trouble};
use super::encode::{Ending, append_last_chunk};
use super::head::Asked;
use super::socket::{Broken, Socket};
use crate::answer::BodyError;
use crate::http1::{append_chunk_size, without_forbidden};

/// A body that is being sent.
pub(super) struct Sending {
    frames: UnsyncBoxBody<Bytes, BodyError>,
    ending: Ending,
    /// What is missing of a body with a length.
    left: u64,
    trailers: HeaderMap,
    asked: Asked,
}

/// Why an answer was not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// The client went, or took nothing for too long.
    Client(Broken),
    /// The body ended in an error or with another length than was said.
    Body,
}

impl Sending {
    pub(super) fn new(
        frames: UnsyncBoxBody<Bytes, BodyError>,
        ending: Ending,
        asked: Asked,
    ) -> Self {
        let left = match ending {
            Ending::Counted(length) => length,
            Ending::Chunked | Ending::Close => 0,
        };
        Sending { frames, ending, left, trailers: HeaderMap::new(), asked }
    }
}

impl<IO: Wire> Socket<IO> {
    /// Ready when all of the body is in the output, or never will be. The request body goes on
    /// coming in meanwhile.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        sending: &mut Sending,
        incoming: &mut Incoming,
    ) -> Poll<Result<(), Unfinished>> {
        loop {
            if !self.output.has_room() {
                match self.poll_output(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(broken)) => {
                        return Poll::Ready(Err(Unfinished::Client(broken)));
                    }
                    Poll::Pending => return self.poll_beside(cx, incoming),
                }
            }
            let polled =
                catch_unwind(AssertUnwindSafe(|| Pin::new(&mut sending.frames).poll_frame(cx)));
            match polled {
                Err(_) => return Poll::Ready(Err(Unfinished::Body)),
                Ok(Poll::Pending) => return self.poll_beside(cx, incoming),
                Ok(Poll::Ready(Some(Err(_)))) => return Poll::Ready(Err(Unfinished::Body)),
                Ok(Poll::Ready(Some(Ok(frame)))) => {
                    if self.append_frame(frame, sending).is_err() {
                        return Poll::Ready(Err(Unfinished::Body));
                    }
                }
                Ok(Poll::Ready(None)) => return Poll::Ready(self.append_end(sending)),
            }
        }
    }

    /// Writes what there is and tends the request body while the answer's body says nothing.
    fn poll_beside(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
    ) -> Poll<Result<(), Unfinished>> {
        match self.tend(cx, incoming) {
            Ok(()) => Poll::Pending,
            Err(Trouble::Broken(broken)) => Poll::Ready(Err(Unfinished::Client(broken))),
            Err(Trouble::Refused(_)) => Poll::Ready(Err(Unfinished::Client(Broken::Transport))),
        }
    }

    /// A body longer than its head said is as broken as one that is shorter.
    fn append_frame(&mut self, frame: Frame<Bytes>, sending: &mut Sending) -> Result<(), ()> {
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            Err(frame) => {
                sending.trailers = without_forbidden(frame.into_trailers().unwrap_or_default());
                return Ok(());
            }
        };
        if bytes.is_empty() {
            return Ok(());
        }
        match sending.ending {
            Ending::Counted(_) => {
                sending.left = sending.left.checked_sub(bytes.len() as u64).ok_or(())?;
                self.output.append_piece(bytes, b"");
            }
            Ending::Close => self.output.append_piece(bytes, b""),
            Ending::Chunked => {
                append_chunk_size(&mut self.output.bytes, bytes.len());
                self.output.append_piece(bytes, b"\r\n");
            }
        }
        Ok(())
    }

    fn append_end(&mut self, sending: &mut Sending) -> Result<(), Unfinished> {
        if sending.left > 0 {
            return Err(Unfinished::Body);
        }
        if sending.ending == Ending::Chunked {
            if !sending.asked.trailers {
                sending.trailers.clear();
            }
            append_last_chunk(&mut self.output.bytes, &sending.trailers);
        }
        Ok(())
    }
}
