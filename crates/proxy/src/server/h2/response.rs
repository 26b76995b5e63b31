//! Answers in HTTP/2's terms.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;

use super::super::h1::is_servers_own;
use super::super::refusal::{Refusal, RefusalReason};
use super::super::stats::count;
use super::super::terms::{ExchangePlace, Terms};
use super::progress::{Piece, Progress};
use crate::answer::{Answer, AnswerBody, BodyError};
use crate::http1::without_forbidden;

/// Bytes handed to a stream at once; what more there is waits with us, where it is watched.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// The body of an answer on a stream; dropping it ends the exchange.
pub(super) struct ResponseBody {
    rest: Rest,
    progress: Arc<Progress>,
    terms: Arc<Terms>,
    /// Held until the body is dropped, so that the exchange counts as open until then.
    _place: Option<ExchangePlace>,
}

enum Rest {
    /// All that is left.
    Whole(Bytes),
    /// It arrives: first what of a frame is left, then further frames.
    Stream { piece: Bytes, left: Option<u64>, frames: UnsyncBoxBody<Bytes, BodyError> },
}

/// The refusal as a whole response.
pub(super) fn refusal(
    refusal: Refusal,
    terms: &Arc<Terms>,
    progress: Arc<Progress>,
) -> Response<ResponseBody> {
    terms.stats.count_refused(refusal.reason);
    let text = Bytes::from(format!("{}\n", refusal.text));
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    respond(refusal.status, fields, Rest::Whole(text), terms, progress, None)
}

/// The answer as a response; one that cannot be sent becomes a 500.
pub(super) fn answer(
    answer: Answer,
    method: &Method,
    terms: &Arc<Terms>,
    progress: Arc<Progress>,
    place: ExchangePlace,
) -> Response<ResponseBody> {
    if answer.status.is_informational() {
        let text = "the gateway failed to answer";
        return refusal(Refusal::new(RefusalReason::Failure, text), terms, progress);
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
    respond(answer.status, fields, rest, terms, progress, Some(place))
}

fn respond(
    status: StatusCode,
    fields: HeaderMap,
    rest: Rest,
    terms: &Arc<Terms>,
    progress: Arc<Progress>,
    place: Option<ExchangePlace>,
) -> Response<ResponseBody> {
    if matches!(&rest, Rest::Whole(bytes) if bytes.is_empty()) {
        progress.finish();
    }
    let body = ResponseBody { rest, progress, terms: terms.clone(), _place: place };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
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

impl ResponseBody {
    fn piece(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        Poll::Ready(Some(Ok(Frame::data(self.progress.piece(bytes)))))
    }

    fn broken(&self, error: BodyError) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        count(&self.terms.stats.answers_broken);
        self.progress.finish();
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        let body = self.get_mut();
        let (piece, left, frames) = match &mut body.rest {
            Rest::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Rest::Whole(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX));
                if bytes.is_empty() {
                    body.progress.finish();
                }
                return body.piece(piece);
            }
            Rest::Stream { piece, left, frames } => (piece, left, frames),
        };
        if piece.is_empty() {
            match next_frame(frames, left, cx) {
                Next::Bytes(bytes) => *piece = bytes,
                Next::Trailers(trailers) => {
                    body.progress.finish();
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Next::Broken(error) => return body.broken(error),
                Next::End => {
                    body.progress.finish();
                    return Poll::Ready(None);
                }
                Next::Pending => return Poll::Pending,
            }
        }
        let next = piece.split_to(piece.len().min(PIECE_BYTES_MAX));
        body.piece(next)
    }

    fn is_end_stream(&self) -> bool {
        match &self.rest {
            Rest::Whole(bytes) => bytes.is_empty(),
            Rest::Stream { .. } => false,
        }
    }
}

enum Next {
    Bytes(Bytes),
    Trailers(HeaderMap),
    Broken(BodyError),
    End,
    Pending,
}

/// The next frame that is not empty; a body of another length than was said is broken.
fn next_frame(
    frames: &mut UnsyncBoxBody<Bytes, BodyError>,
    left: &mut Option<u64>,
    cx: &mut Context<'_>,
) -> Next {
    loop {
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *frames).poll_frame(cx)));
        let frame = match polled {
            Err(_) => return Next::Broken("the body panicked".into()),
            Ok(Poll::Pending) => return Next::Pending,
            Ok(Poll::Ready(Some(Err(error)))) => return Next::Broken(error),
            Ok(Poll::Ready(Some(Ok(frame)))) => Some(frame),
            Ok(Poll::Ready(None)) => None,
        };
        let frame = frame.map(Frame::into_data);
        let Some(Ok(bytes)) = frame else {
            if left.is_some_and(|left| left > 0) {
                return Next::Broken("the body is shorter than was said".into());
            }
            let trailers = frame.and_then(Result::err).and_then(|frame| frame.into_trailers().ok());
            return trailers.map(without_forbidden).map_or(Next::End, Next::Trailers);
        };
        if let Some(said) = left {
            match said.checked_sub(bytes.len() as u64) {
                Some(rest) => *said = rest,
                None => return Next::Broken("the body is longer than was said".into()),
            }
        }
        if !bytes.is_empty() {
            return Next::Bytes(bytes);
        }
    }
}
