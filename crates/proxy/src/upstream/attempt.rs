//! One exchange with a member: send, wait for the head, judge it, and try once more where the
//! connection had died of old age. Whether another member is tried is for `several` to say.

mod http1;
mod http2;

use http::{Method, Request, Response, StatusCode};

use super::Observer;
use super::body::OriginBody;
use super::member::Member;
use super::pool::{Held, Line, Reused, Wanted};
use super::request::{RequestBody, Unsendable};
use super::retry::{Again, Attempted, Left, Reached, after_failure};
use crate::failure::{FailureKind, FetchFailure};

/// An attempt that came to no response. Where the request may be sent again, it is as it was.
pub(super) struct Lost {
    pub(super) failure: FetchFailure,
    pub(super) again: Again,
}

impl Member {
    /// Sends a request and waits for its response head. What failed on a connection that had been
    /// idle is sent once more on another, if not a byte of it was sent, or if it is idempotent
    /// and no byte came back (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
    pub(super) async fn exchange(
        &self,
        held: Held,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, Lost> {
        let lost = match self.attempt(held, request, wanted, observer).await {
            Ok(response) => return Ok(response),
            Err(lost) => lost,
        };
        match lost.again {
            Again::Here(cost) => {
                let again = Box::pin(self.send_again(request, wanted, observer)).await;
                again.map_err(|lost| Lost { again: lost.again.elsewhere(cost), ..lost })
            }
            Again::Elsewhere(_) | Again::No => Err(lost),
        }
    }

    async fn send_again(
        &self,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, Lost> {
        let held = self.another_connection(wanted).await;
        let held = held.map_err(|failure| Lost::unsent(failure, request.method()))?;
        self.attempt(held, request, wanted, observer).await
    }

    async fn attempt(
        &self,
        held: Held,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, Lost> {
        let Held { pool, reused, line } = held;
        match line {
            Line::Http1(connection) => {
                self.attempt_http1(pool, connection, request, wanted, observer).await
            }
            // Its state is large, and is not to be in the way of HTTP/1.
            Line::Http2(stream) => {
                Box::pin(self.attempt_http2(stream, reused, request, observer)).await
            }
        }
    }

    /// HTTP/2 has no 101 (RFC 9113 section 8.6), and who did not ask for one gets none.
    fn refuse_switch(&self, status: StatusCode) -> Result<(), FetchFailure> {
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        let cause = "it switches protocols, and nobody asked it to";
        Err(self.because(FailureKind::Malformed, cause))
    }

    fn unsendable(&self) -> impl Fn(Unsendable) -> FetchFailure {
        |Unsendable| self.failure(FailureKind::Unsendable)
    }
}

impl Lost {
    /// Of a request that found no connection.
    pub(super) fn unsent(failure: FetchFailure, method: &Method) -> Self {
        let tried = Attempted { reached: Reached::Nobody, left: Left::Whole, reused: Reused::No };
        Lost { again: after_failure(failure.kind, tried, method), failure }
    }
}

impl From<FetchFailure> for Lost {
    fn from(failure: FetchFailure) -> Self {
        Lost { failure, again: Again::No }
    }
}
