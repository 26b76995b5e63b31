//! Answers as fields and pieces.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;

use super::super::h1::is_servers_own;
use super::super::refusal::{Refusal, RefusalReason};
use crate::answer::{Answer, AnswerBody, BodyError};
use crate::http1::without_forbidden;

/// Bytes handed to a stream at once; what more there is waits with us, where it is watched.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// An answer as a stream carries it. Dropping what is left of it ends the exchange.
pub(in super::super) struct Outgoing {
    pub(in super::super) status: StatusCode,
    pub(in super::super) fields: HeaderMap,
    pub(in super::super) rest: Rest,
}

/// What follows the head.
pub(in super::super) enum Rest {
    /// All that is left.
    Whole(Bytes),
    /// It arrives: first what of a frame is left, then further frames.
    Stream { piece: Bytes, left: Option<u64>, frames: UnsyncBoxBody<Bytes, BodyError> },
}

/// What comes next of it.
pub(in super::super) enum Next {
    /// Some bytes, never none, and no more than a stream takes at once.
    Piece(Bytes),
    /// Trailers, and with them the end.
    Trailers(HeaderMap),
    /// The end.
    End,
    /// It cannot be brought to its end.
    Broken(BodyError),
}

impl Outgoing {
    /// A refusal as a whole answer.
    pub(in super::super) fn refusal(refusal: Refusal) -> Self {
        let text = Bytes::from(format!("{}\n", refusal.text));
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        Outgoing { status: refusal.status, fields, rest: Rest::Whole(text) }
    }

    /// The answer to a request with this method; or why it cannot be sent.
    pub(in super::super) fn of(answer: Answer, method: &Method) -> Result<Self, Refusal> {
        if answer.status.is_informational() {
            let text = "the gateway failed to answer";
            return Err(Refusal::new(RefusalReason::Failure, text));
        }
        let mut fields = fields(&answer);
        let head_only = method == Method::HEAD;
        let bodiless = head_only
            || answer.status == StatusCode::NO_CONTENT
            || answer.status == StatusCode::NOT_MODIFIED;
        let (length, rest) = match answer.body {
            AnswerBody::None => (None, Rest::Whole(Bytes::new())),
            AnswerBody::Sized(length) => (length.filter(|_| head_only), Rest::Whole(Bytes::new())),
            AnswerBody::Whole(bytes) => (Some(bytes.len() as u64), Rest::Whole(bytes)),
            AnswerBody::Stream { length, frames } => {
                (length, Rest::Stream { piece: Bytes::new(), left: length, frames })
            }
        };
        let length = length.filter(|_| head_only || !bodiless);
        if let Some(length) = length {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let rest = if bodiless { Rest::Whole(Bytes::new()) } else { rest };
        Ok(Outgoing { status: answer.status, fields, rest })
    }
}

impl Rest {
    /// Whether nothing is left, as far as that can be known without asking for more.
    pub(in super::super) fn is_over(&self) -> bool {
        match self {
            Rest::Whole(bytes) => bytes.is_empty(),
            Rest::Stream { .. } => false,
        }
    }

    /// What comes next.
    pub(in super::super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let piece = match self {
            Rest::Whole(bytes) if bytes.is_empty() => return Poll::Ready(Next::End),
            Rest::Whole(bytes) => bytes,
            Rest::Stream { piece, left, frames } => {
                if piece.is_empty() {
                    match ready!(poll_frame(frames, left, cx)) {
                        Next::Piece(bytes) => *piece = bytes,
                        end @ (Next::Trailers(_) | Next::End | Next::Broken(_)) => {
                            return Poll::Ready(end);
                        }
                    }
                }
                piece
            }
        };
        let length = piece.len().min(PIECE_BYTES_MAX);
        Poll::Ready(Next::Piece(piece.split_to(length)))
    }
}

/// The prepared blocks and the fields together; what only HTTP/1 knows is left out.
fn fields(answer: &Answer) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(16 + answer.fields.len());
    for block in &answer.prepared {
        for line in block.split(|byte| *byte == b'\n') {
            if let Some((name, value)) = prepared_field(block, line)
                && !is_servers_own(&name)
            {
                fields.append(name, value);
            }
        }
    }
    for (name, value) in answer.fields.iter().filter(|(name, _)| !is_servers_own(name)) {
        fields.append(name, value.clone());
    }
    fields
}

/// One line of a prepared block, its value shared with the block.
fn prepared_field(block: &Bytes, line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = memchr::memchr(b':', line)?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let value = HeaderValue::from_maybe_shared(block.slice_ref(line[colon + 1..].trim_ascii()));
    Some((name, value.ok()?))
}

/// The next frame that is not empty; a body of another length than was said is broken.
fn poll_frame(
    frames: &mut UnsyncBoxBody<Bytes, BodyError>,
    left: &mut Option<u64>,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    let broken = |text: &'static str| Poll::Ready(Next::Broken(text.into()));
    loop {
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *frames).poll_frame(cx)));
        let frame = match polled {
            Err(_) => return broken("the body panicked"),
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Some(Err(error)))) => return Poll::Ready(Next::Broken(error)),
            Ok(Poll::Ready(Some(Ok(frame)))) => Some(frame),
            Ok(Poll::Ready(None)) => None,
        };
        let frame = frame.map(Frame::into_data);
        let Some(Ok(bytes)) = frame else {
            if left.is_some_and(|left| left > 0) {
                return broken("the body is shorter than was said");
            }
            let trailers = frame.and_then(Result::err).and_then(|frame| frame.into_trailers().ok());
            let trailers = trailers.map(without_forbidden);
            return Poll::Ready(trailers.map_or(Next::End, Next::Trailers));
        };
        if let Some(said) = left {
            match said.checked_sub(bytes.len() as u64) {
                Some(rest) => *said = rest,
                None => return broken("the body is longer than was said"),
            }
        }
        if !bytes.is_empty() {
            return Poll::Ready(Next::Piece(bytes));
        }
    }
}
