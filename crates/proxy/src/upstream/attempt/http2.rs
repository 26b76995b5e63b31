//! An attempt over HTTP/2: hyper sends, and we watch how far it comes.

use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, sleep_until};

use super::Lost;
use crate::failure::{FailureKind, FetchFailure};
use crate::upstream::body::OriginBody;
use crate::upstream::h1::FIELDS_MAX;
use crate::upstream::h2::{self, Progress, Received, Sending, Step};
use crate::upstream::member::Member;
use crate::upstream::pool::{Reused, Stream};
use crate::upstream::request::RequestBody;
use crate::upstream::retry::{Attempted, Left, Reached, after_failure};
use crate::upstream::{Observer, cause};

/// How waiting for a head ended without one.
enum End {
    /// A time limit passed.
    Late(FailureKind),
    /// The connection failed, or what came over it.
    Broken(Box<TrySendError<Request<Sending>>>),
}

impl Member {
    pub(super) async fn attempt_http2(
        &self,
        stream: Stream,
        reused: Reused,
        asked: &mut Request<RequestBody>,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, Lost> {
        let named = if asked.headers().contains_key(HOST) { Named::Yes } else { Named::No };
        let mut request = std::mem::take(asked).map(Sending::new);
        let method = request.method().clone();
        let progress = request.body().progress();
        let shaped = h2::shape(&mut request, self.uri_scheme(), &self.host);
        shaped.map_err(self.unsendable())?;
        let spare = spare(&request);
        if let Some(observer) = observer {
            let observer = observer.clone();
            hyper::ext::on_informational(&mut request, move |response| {
                observer.tell(response.status(), response.headers().clone());
            });
        }
        let response = stream.http2.sender.clone().try_send_request(request);
        match self.head(response, progress.as_deref()).await {
            Ok(response) => Ok(self.accept_http2(response, stream, progress)?),
            Err(End::Late(kind)) => {
                // Nothing new begins where the origin did not answer in time.
                stream.http2.retire();
                let tried = Attempted { reached: heard(observer), left: left(&spare), reused };
                let again = after_failure(kind, tried, &method);
                *asked = named.restored(spare);
                Err(Lost { failure: self.failure(kind), again })
            }
            Err(End::Broken(error)) => {
                let broken = judge(stream, *error, progress.as_deref());
                let (reached, whole) = match broken.unsent {
                    Some(request) => (Reached::Nobody, Some(request.map(Sending::into_body))),
                    None => (heard(observer), spare),
                };
                let reused = if broken.seen == Seen::Perhaps { Reused::No } else { reused };
                let tried = Attempted { reached, left: left(&whole), reused };
                let again = after_failure(broken.kind, tried, &method);
                *asked = named.restored(whole);
                Err(Lost { failure: self.because(broken.kind, broken.cause), again })
            }
        }
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
        let times = &self.terms.times;
        match progress.map(Progress::step) {
            None => (begun + times.read, FailureKind::HeadTimeout),
            Some(Step::Offered(at)) => (at + times.send, FailureKind::SendTimeout),
            Some(Step::Sent(at)) => (at + times.read, FailureKind::HeadTimeout),
            Some(Step::Awaited | Step::Failed | Step::Unwanted) => {
                (Instant::now() + times.send.min(times.read), FailureKind::HeadTimeout)
            }
        }
    }

    fn accept_http2(
        &self,
        mut response: Response<Incoming>,
        stream: Stream,
        progress: Option<Arc<Progress>>,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        if response.headers().len() > FIELDS_MAX {
            let cause = format!("its head has more than {FIELDS_MAX} fields");
            return Err(self.because(FailureKind::Malformed, cause));
        }
        self.refuse_switch(response.status())?;
        if response.headers().contains_key(TRANSFER_ENCODING) {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        Ok(response.map(|frames| {
            let received = Received::new(frames, stream, progress, self.terms.times.read);
            OriginBody::of_http2(received, self.name.clone())
        }))
    }
}

/// What an error is about.
struct Broken {
    kind: FailureKind,
    cause: String,
    /// The request, if nothing of it was sent.
    unsent: Option<Request<Sending>>,
    seen: Seen,
}

/// Whether the origin looked at a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It did not: it said so, or the connection was at its end.
    No,
    /// Nobody knows.
    Perhaps,
}

/// Says what an error is about; a connection that is at its end is not chosen again.
fn judge(
    stream: Stream,
    mut error: TrySendError<Request<Sending>>,
    progress: Option<&Progress>,
) -> Broken {
    let unsent = error.take_message();
    let error = error.into_error();
    let is_over = unsent.is_some()
        || stream.http2.sender.is_closed()
        || stream.http2.has_ended()
        || http2_error(&error).is_some_and(::h2::Error::is_go_away);
    let is_unseen = is_over || http2_error(&error).is_some_and(was_refused);
    if is_over {
        stream.http2.retire();
    }
    let seen = if is_unseen { Seen::No } else { Seen::Perhaps };
    Broken { kind: kind_of(&error, progress), cause: cause(&error), unsent, seen }
}

/// Whether a request names the host that it is for, or leaves it to the member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    No,
}

impl Named {
    /// The request as it was before it was shaped for one member.
    fn restored(self, whole: Option<Request<RequestBody>>) -> Request<RequestBody> {
        let mut request = whole.unwrap_or_default();
        if self == Named::No {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
        }
        request
    }
}

/// Whether anything came back: an interim response is a word.
fn heard(observer: Option<&Observer>) -> Reached {
    match observer.is_some_and(Observer::has_told) {
        true => Reached::Somebody,
        false => Reached::Silence,
    }
}

fn left(whole: &Option<Request<RequestBody>>) -> Left {
    if whole.is_some() { Left::Whole } else { Left::Spent }
}

fn kind_of(error: &hyper::Error, progress: Option<&Progress>) -> FailureKind {
    if matches!(progress.map(Progress::step), Some(Step::Failed)) {
        FailureKind::RequestCut
    } else if error.is_parse() || http2_error(error).is_some_and(::h2::Error::is_library) {
        FailureKind::Malformed
    } else if error.is_timeout() {
        FailureKind::HeadTimeout
    } else {
        FailureKind::HeadCut
    }
}

/// The same request once more, if it may be sent twice (RFC 9110 section 9.2.2).
fn spare(request: &Request<Sending>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() {
        return None;
    }
    let mut spare = Request::new(request.body().replay()?);
    *spare.method_mut() = request.method().clone();
    *spare.uri_mut() = request.uri().clone();
    *spare.headers_mut() = request.headers().clone();
    Some(spare)
}

/// Whether the origin said that it did not look at the request (RFC 9113 section 8.7).
fn was_refused(error: &::h2::Error) -> bool {
    error.reason() == Some(::h2::Reason::REFUSED_STREAM)
}

fn http2_error(error: &hyper::Error) -> Option<&::h2::Error> {
    error.source()?.downcast_ref()
}
