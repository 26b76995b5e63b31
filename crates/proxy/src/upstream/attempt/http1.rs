//! An attempt over HTTP/1.1, in the task of whoever asked.

use std::future::poll_fn;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};

use super::Lost;
use crate::failure::{FailureKind, FetchFailure};
use crate::upstream::Observer;
use crate::upstream::body::OriginBody;
use crate::upstream::ended::Ended;
use crate::upstream::h1::{Connection, Exchange, HeadOnly, ResponseHead};
use crate::upstream::member::Member;
use crate::upstream::pool::{Pool, Reused, Wanted};
use crate::upstream::request::RequestBody;
use crate::upstream::retry::{Attempted, Left, Reached, after_failure};

impl Member {
    pub(super) async fn attempt_http1(
        &self,
        pool: Arc<Pool>,
        connection: Box<Connection>,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, Lost> {
        let reused = if connection.used { Reused::Yes } else { Reused::No };
        let spare = request.body().replay();
        let begun = Exchange::begin(connection, request, &self.host);
        let mut exchange = begun.map_err(self.unsendable())?;
        match poll_fn(|cx| exchange.poll_head(cx, observer, &self.terms.times)).await {
            Ok(head) => Ok(self.accept_http1(pool, exchange, head, request.method(), wanted)?),
            Err(ended) => Err(self.lost_http1(exchange, ended, request, (spare, reused))),
        }
    }

    /// Judges a head, and decides what follows it.
    fn accept_http1(
        &self,
        pool: Arc<Pool>,
        exchange: Exchange,
        mut head: ResponseHead,
        method: &Method,
        wanted: Wanted,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        let member = self.name.clone();
        let body = if head.status == StatusCode::SWITCHING_PROTOCOLS && wanted == Wanted::Http1 {
            let early = || self.because(FailureKind::Malformed, "it switches protocols too early");
            OriginBody::of_tunnel(exchange.into_tunnel().ok_or_else(early)?, member)
        } else {
            self.refuse_switch(head.status)?;
            let head_only = if *method == Method::HEAD { HeadOnly::Yes } else { HeadOnly::No };
            let download = exchange.into_download(&mut head, head_only, self.terms.times.read);
            OriginBody::of_http1(download.map_err(|ended| ended.at(&member))?, pool, member)
        };
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.version_mut() = head.version;
        *response.headers_mut() = head.fields;
        Ok(response)
    }

    /// Where a request may be sent again that met its end here; its body is put back for that.
    fn lost_http1(
        &self,
        mut exchange: Exchange,
        ended: Ended,
        request: &mut Request<RequestBody>,
        (spare, reused): (Option<RequestBody>, Reused),
    ) -> Lost {
        let reached = exchange.reached();
        let body = match reached {
            Reached::Nobody => spare.or_else(|| exchange.take_stream()),
            Reached::Silence | Reached::Somebody => spare,
        };
        let left = if body.is_some() { Left::Whole } else { Left::Spent };
        let tried = Attempted { reached, left, reused };
        let again = after_failure(ended.kind, tried, request.method());
        *request.body_mut() = body.unwrap_or_default();
        Lost { failure: ended.at(&self.name), again }
    }
}
