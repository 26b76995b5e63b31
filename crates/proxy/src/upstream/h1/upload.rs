//! A request on its way to the origin: its body, behind a head that lies in the output.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::TRAILER;
use http::{HeaderMap, Request};
use http_body::Body as _;
use http_body_util::combinators::UnsyncBoxBody;

use super::super::request::RequestBody;
use super::request::{Framing, append_field};
use super::socket::Socket;
use super::unshared::Unshared;
use crate::answer::BodyError;
use crate::http1::{Output, append_chunk_size, is_listed, without_forbidden};

/// A request on its way. A frame is asked for when the one before has been written.
pub(super) struct Upload {
    rest: Rest,
    waits: Waits,
}

/// What is to come beyond what lies in the output.
enum Rest {
    Nothing,
    Frames(Box<Frames>),
    /// The origin takes no more. It may have answered all the same.
    Refused,
    /// The client's body failed.
    Cut,
}

/// What an upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// The origin has to take what lies there.
    Origin,
    /// The client has to go on.
    Client,
    /// Nothing: the origin has it all, or wants no more.
    Nothing,
}

/// That the client's body ended early, or with another length than was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut;

impl Upload {
    /// Nothing at all.
    pub(super) fn none() -> Self {
        Upload { rest: Rest::Nothing, waits: Waits::Nothing }
    }

    /// The body behind the head in the output; it is taken. One that is whole goes out with the
    /// head.
    pub(super) fn new(
        output: &mut Output,
        request: &mut Request<RequestBody>,
        framing: Framing,
    ) -> Self {
        let rest = match std::mem::take(request.body_mut()) {
            RequestBody::Empty => Rest::Nothing,
            RequestBody::Whole(bytes) => {
                output.append_piece(bytes, b"");
                Rest::Nothing
            }
            RequestBody::Stream(frames) => {
                Rest::Frames(Box::new(Frames::new(frames, request.headers(), framing)))
            }
        };
        Upload { rest, waits: Waits::Origin }
    }

    pub(super) fn waits(&self) -> Waits {
        self.waits
    }

    /// Whether all of the request has been written.
    pub(super) fn is_whole(&self) -> bool {
        self.waits == Waits::Nothing && matches!(self.rest, Rest::Nothing)
    }

    /// The streamed body of a request of which nothing was written, and so nothing read.
    pub(super) fn take_stream(&mut self) -> Option<RequestBody> {
        match std::mem::replace(&mut self.rest, Rest::Refused) {
            Rest::Frames(frames) => Some(RequestBody::Stream(frames.frames.into_value())),
            Rest::Nothing | Rest::Refused | Rest::Cut => None,
        }
    }

    /// Sends what can be sent now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, socket: &mut Socket) -> Result<(), Cut> {
        while self.waits != Waits::Nothing {
            match socket.poll_output(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!("an origin takes no more of a request: {error}");
                    self.refuse(socket);
                    return Ok(());
                }
                Poll::Pending => {
                    self.waits = Waits::Origin;
                    return Ok(());
                }
            }
            match self.poll_rest(cx, &mut socket.output) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(cut)) => return Err(cut),
                Poll::Pending => {
                    self.waits = Waits::Client;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A request of which nothing was written keeps its body, for another connection.
    fn refuse(&mut self, socket: &mut Socket) {
        socket.output = Output::default();
        self.waits = Waits::Nothing;
        if socket.written > 0 || matches!(self.rest, Rest::Nothing) {
            self.rest = Rest::Refused;
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>, output: &mut Output) -> Poll<Result<(), Cut>> {
        let frames = match &mut self.rest {
            Rest::Frames(frames) => frames,
            Rest::Nothing | Rest::Refused => {
                self.waits = Waits::Nothing;
                return Poll::Ready(Ok(()));
            }
            Rest::Cut => return Poll::Ready(Err(Cut)),
        };
        match std::task::ready!(frames.poll_append(cx, output)) {
            Ok(More::Yes) => {}
            Ok(More::No) => self.rest = Rest::Nothing,
            Err(cut) => {
                self.rest = Rest::Cut;
                return Poll::Ready(Err(cut));
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A body that arrives from the client.
struct Frames {
    frames: Unshared<UnsyncBoxBody<Bytes, BodyError>>,
    /// What is missing of a body with a length; none in chunks.
    left: Option<u64>,
    /// The lines of `Trailer`: what they do not announce is not sent.
    announced: HeaderMap,
}

/// Whether more of a body may come.
enum More {
    Yes,
    No,
}

impl Frames {
    fn new(frames: UnsyncBoxBody<Bytes, BodyError>, fields: &HeaderMap, framing: Framing) -> Self {
        let left = match framing {
            Framing::Nothing => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let lines = fields.get_all(TRAILER).iter();
        let announced = lines.map(|line| (TRAILER, line.clone())).collect();
        Frames { frames: Unshared::new(frames), left, announced }
    }

    /// Appends the next frame, or the end.
    fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut Output,
    ) -> Poll<Result<More, Cut>> {
        let frame = match std::task::ready!(Pin::new(self.frames.reach()).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Poll::Ready(Err(Cut)),
            None => return Poll::Ready(self.append_end(output, &HeaderMap::new())),
        };
        let bytes = match frame.into_data() {
            Ok(bytes) => bytes,
            Err(frame) => {
                let trailers = without_forbidden(frame.into_trailers().unwrap_or_default());
                return Poll::Ready(self.append_end(output, &trailers));
            }
        };
        Poll::Ready(self.append(output, bytes))
    }

    fn append(&mut self, output: &mut Output, bytes: Bytes) -> Result<More, Cut> {
        if bytes.is_empty() {
            return Ok(More::Yes);
        }
        let Some(left) = &mut self.left else {
            append_chunk_size(&mut output.bytes, bytes.len());
            output.append_piece(bytes, b"\r\n");
            return Ok(More::Yes);
        };
        *left = left.checked_sub(bytes.len() as u64).ok_or(Cut)?;
        output.append_piece(bytes, b"");
        Ok(More::Yes)
    }

    fn append_end(&mut self, output: &mut Output, trailers: &HeaderMap) -> Result<More, Cut> {
        match self.left {
            Some(0) => return Ok(More::No),
            Some(_) => return Err(Cut),
            None => output.bytes.extend_from_slice(b"0\r\n"),
        }
        for (name, value) in trailers {
            if is_listed(&self.announced, &TRAILER, name.as_str().as_bytes()) {
                append_field(&mut output.bytes, name, value);
            }
        }
        output.bytes.extend_from_slice(b"\r\n");
        Ok(More::No)
    }
}
