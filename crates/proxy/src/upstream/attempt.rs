//! One exchange with a member: send, wait for the head, judge it, and try once more where the
//! connection had died of old age.

use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, sleep_until};

use super::body::OriginBody;
use super::cause;
use super::connection::{FIELDS_MAX, Reused};
use super::member::Member;
use super::pool::{Held, Line, Wanted};
use super::request::{self, Progress, Sending, Step};
use crate::failure::{FailureKind, FetchFailure};

/// An attempt that came to no response.
struct Lost {
    failure: FetchFailure,
    again: Again,
}

/// Whether the request may be sent again.
enum Again {
    /// It came back, and not one byte of it was sent.
    Unsent(Box<Request<Sending>>),
    /// The connection was closed while nobody used it, so most likely nobody saw the request.
    IfIdempotent,
    /// It may not.
    No,
}

/// How waiting for a head ended without one.
enum End {
    /// A time limit passed.
    Late(FailureKind),
    /// The connection failed, or what came over it.
    Broken(Box<TrySendError<Request<Sending>>>),
}

impl Member {
    /// Sends a request and waits for its response head. What failed on a connection that had been
    /// idle is sent once more on another, if not a byte of it was sent, or if it is idempotent
    /// and no byte came back (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
    pub(super) async fn exchange(
        &self,
        held: Held,
        request: Request<Sending>,
        wanted: Wanted,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        let spare = match held.reused {
            Reused::Yes => request::spare(&request),
            Reused::No => None,
        };
        let lost = match self.attempt(held, request, wanted).await {
            Ok(response) => return Ok(response),
            Err(lost) => lost,
        };
        let request = match lost.again {
            Again::Unsent(request) => *request,
            Again::IfIdempotent => spare.ok_or(lost.failure)?,
            Again::No => return Err(lost.failure),
        };
        let held = self.another_connection(wanted).await?;
        self.attempt(held, request, wanted).await.map_err(|lost| lost.failure)
    }

    async fn attempt(
        &self,
        mut held: Held,
        mut request: Request<Sending>,
        wanted: Wanted,
    ) -> Result<Response<OriginBody>, Lost> {
        let progress = request.body().progress();
        self.shape(&held, &mut request)?;
        let answered = match &mut held.line {
            Line::Http1(http1) => {
                http1.wire.begin_request();
                let response = http1.sender.try_send_request(request);
                self.head(response, progress.as_deref()).await
            }
            Line::Http2(stream) => {
                let response = stream.http2.sender.clone().try_send_request(request);
                self.head(response, progress.as_deref()).await
            }
        };
        match answered {
            Ok(response) => Ok(self.accept(response, held, progress, wanted)?),
            Err(End::Late(kind)) => {
                held.retire();
                Err(self.failure(kind).into())
            }
            Err(End::Broken(error)) => Err(self.lost(held, *error, progress.as_deref())),
        }
    }

    fn shape(&self, held: &Held, request: &mut Request<Sending>) -> Result<(), FetchFailure> {
        let shaped = match &held.line {
            Line::Http1(_) => request::shape_for_http1(request, &self.host),
            Line::Http2(_) => request::shape_for_http2(request, self.uri_scheme(), &self.host),
        };
        shaped.map_err(|request::Unsendable| self.failure(FailureKind::Unsendable))
    }

    /// Waits for the head as long as the request makes progress, and `read_timeout` after it was
    /// sent.
    async fn head<F>(
        &self,
        response: F,
        progress: Option<&Progress>,
    ) -> Result<Response<Incoming>, End>
    where
        F: Future<Output = Result<Response<Incoming>, TrySendError<Request<Sending>>>>,
    {
        let mut response = pin!(response);
        let begun = Instant::now();
        loop {
            let (until, _) = self.patience(begun, progress);
            tokio::select! {
                biased;
                answered = &mut response => {
                    return answered.map_err(|error| End::Broken(Box::new(error)));
                },
                () = sleep_until(until) => {}
            }
            let (until, kind) = self.patience(begun, progress);
            if until <= Instant::now() {
                return Err(End::Late(kind));
            }
        }
    }

    /// Until when to wait, and what it is called when nothing came by then. The client's own
    /// silence is not the origin's: how long that may last is for the client's side to say.
    fn patience(&self, begun: Instant, progress: Option<&Progress>) -> (Instant, FailureKind) {
        let times = &self.times;
        match progress.map(Progress::step) {
            None => (begun + times.read, FailureKind::HeadTimeout),
            Some(Step::Offered(at)) => (at + times.send, FailureKind::SendTimeout),
            Some(Step::Sent(at)) => (at + times.read, FailureKind::HeadTimeout),
            Some(Step::Awaited | Step::Failed | Step::Unwanted) => {
                (Instant::now() + times.send.min(times.read), FailureKind::HeadTimeout)
            }
        }
    }

    /// Judges a head, and decides what becomes of the connection.
    fn accept(
        &self,
        mut response: Response<Incoming>,
        held: Held,
        progress: Option<Arc<Progress>>,
        wanted: Wanted,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        if response.headers().len() > FIELDS_MAX {
            let cause = format!("its head has more than {FIELDS_MAX} fields");
            return Err(self.because(FailureKind::Malformed, cause));
        }
        let is_tunnel = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_tunnel && (wanted == Wanted::Any || matches!(held.line, Line::Http2(_))) {
            // HTTP/2 has no 101 (RFC 9113 section 8.6).
            let cause = "it switches protocols, and nobody asked it to";
            return Err(self.because(FailureKind::Malformed, cause));
        }
        let is_doubtful = response.headers().contains_key(TRANSFER_ENCODING)
            && response.headers_mut().remove(CONTENT_LENGTH).is_some();
        let is_over = response.body().is_end_stream();
        let read_timeout = self.times.read;
        Ok(response.map(|frames| {
            let body = OriginBody::new(frames, held, progress, read_timeout, self.name.clone());
            if is_tunnel {
                body.let_go()
            } else if is_doubtful {
                body.never_reused()
            } else if is_over {
                body.finished()
            } else {
                body
            }
        }))
    }

    /// Says what an error is about, and whether the request may be sent again; a connection that
    /// is at its end is not chosen for that.
    fn lost(
        &self,
        held: Held,
        mut error: TrySendError<Request<Sending>>,
        progress: Option<&Progress>,
    ) -> Lost {
        let unsent = error.take_message();
        let error = error.into_error();
        let is_reused = held.reused == Reused::Yes;
        let is_cut = matches!(progress.map(Progress::step), Some(Step::Failed));
        let kind = if is_cut {
            FailureKind::RequestCut
        } else if error.is_parse() || http2_error(&error).is_some_and(h2::Error::is_library) {
            FailureKind::Malformed
        } else if error.is_timeout() {
            FailureKind::HeadTimeout
        } else {
            FailureKind::HeadCut
        };
        let is_refused = http2_error(&error).is_some_and(was_refused);
        let is_over = unsent.is_some() || is_going_away(&held, &error);
        let again = match unsent {
            Some(request) if is_reused => Again::Unsent(Box::new(request)),
            None if is_reused && kind == FailureKind::HeadCut && (is_over || is_refused) => {
                Again::IfIdempotent
            }
            Some(_) | None => Again::No,
        };
        if is_over {
            held.retire();
        }
        Lost { failure: self.because(kind, cause(&error)), again }
    }
}

/// Whether the connection was closed, or about to be, before the request came to it.
fn is_going_away(held: &Held, error: &hyper::Error) -> bool {
    held.ended_silently() || http2_error(error).is_some_and(h2::Error::is_go_away)
}

/// Whether the origin said that it did not look at the request (RFC 9113 section 8.7).
fn was_refused(error: &h2::Error) -> bool {
    error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

fn http2_error(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}

impl From<FetchFailure> for Lost {
    fn from(failure: FetchFailure) -> Self {
        Lost { failure, again: Again::No }
    }
}
