//! Answers in HTTP/2's terms.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Method, Response};
use http_body::{Body, Frame};

use super::super::refusal::Refusal;
use super::super::stats::count;
use super::super::streams::answer::{Next, Outgoing, Rest};
use super::super::terms::{ExchangePlace, Terms};
use super::progress::{Piece, Progress};
use crate::answer::{Answer, BodyError};

/// The body of an answer on a stream; dropping it ends the exchange.
pub(super) struct ResponseBody {
    rest: Rest,
    progress: Arc<Progress>,
    terms: Arc<Terms>,
    /// Held until the body is dropped, so that the exchange counts as open until then.
    _place: Option<ExchangePlace>,
}

/// The refusal as a whole response.
pub(super) fn refusal(
    refusal: Refusal,
    terms: &Arc<Terms>,
    progress: Arc<Progress>,
) -> Response<ResponseBody> {
    terms.stats.count_refused(refusal.reason);
    respond(Outgoing::refusal(refusal), terms, progress, None)
}

/// The answer as a response; one that cannot be sent becomes a 500.
pub(super) fn answer(
    answer: Answer,
    method: &Method,
    terms: &Arc<Terms>,
    progress: Arc<Progress>,
    place: ExchangePlace,
) -> Response<ResponseBody> {
    match Outgoing::of(answer, method) {
        Ok(outgoing) => respond(outgoing, terms, progress, Some(place)),
        Err(failure) => refusal(failure, terms, progress),
    }
}

fn respond(
    Outgoing { status, fields, rest }: Outgoing,
    terms: &Arc<Terms>,
    progress: Arc<Progress>,
    place: Option<ExchangePlace>,
) -> Response<ResponseBody> {
    if rest.is_over() {
        progress.finish();
    }
    let body = ResponseBody { rest, progress, terms: terms.clone(), _place: place };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}

impl Body for ResponseBody {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        let body = self.get_mut();
        let frame = match ready!(body.rest.poll_next(cx)) {
            Next::Piece(bytes) => {
                if body.rest.is_over() {
                    body.progress.finish();
                }
                return Poll::Ready(Some(Ok(Frame::data(body.progress.piece(bytes)))));
            }
            Next::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            Next::End => None,
            Next::Broken(error) => {
                count(&body.terms.stats.answers_broken);
                Some(Err(error))
            }
        };
        body.progress.finish();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_over()
    }
}
