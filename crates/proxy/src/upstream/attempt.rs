//! One exchange with a member: send, wait for the head, judge it, and try once more where the
//! connection had died of old age.

mod http1;
mod http2;

use http::{Request, Response, StatusCode};

use super::Observer;
use super::body::OriginBody;
use super::member::Member;
use super::pool::{Held, Line, Wanted};
use super::request::{RequestBody, Unsendable};
use crate::failure::{FailureKind, FetchFailure};

/// An attempt that came to no response.
struct Lost {
    failure: FetchFailure,
    again: Again,
}

/// Whether a request may be sent again; if so it is again as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Yes,
    No,
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
        observer: Option<Observer>,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        let lost = match self.attempt(held, request, wanted, observer.as_ref()).await {
            Ok(response) => return Ok(response),
            Err(lost) => lost,
        };
        match lost.again {
            Again::Yes => Box::pin(self.send_again(request, wanted, observer.as_ref())).await,
            Again::No => Err(lost.failure),
        }
    }

    async fn send_again(
        &self,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        let held = self.another_connection(wanted).await?;
        let answered = self.attempt(held, request, wanted, observer).await;
        answered.map_err(|lost| lost.failure)
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

impl From<FetchFailure> for Lost {
    fn from(failure: FetchFailure) -> Self {
        Lost { failure, again: Again::No }
    }
}
