//! An attempt over HTTP/1.1, in the task of whoever asked.

use std::future::poll_fn;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};

use super::{Again, Lost};
use crate::failure::{FailureKind, FetchFailure};
use crate::upstream::Observer;
use crate::upstream::body::OriginBody;
use crate::upstream::ended::Ended;
use crate::upstream::h1::{Connection, Exchange, HeadOnly, Reached, ResponseHead};
use crate::upstream::member::Member;
use crate::upstream::pool::{Pool, Wanted};
use crate::upstream::request::RequestBody;

impl Member {
    pub(super) async fn attempt_http1(
        &self,
        pool: Arc<Pool>,
        connection: Box<Connection>,
        request: &mut Request<RequestBody>,
        wanted: Wanted,
        observer: Option<&Observer>,
    ) -> Result<Response<OriginBody>, Lost> {
        let is_reused = connection.used;
        let spare = if is_reused { request.body().replay() } else { None };
        let begun = Exchange::begin(connection, request, &self.host);
        let mut exchange = begun.map_err(self.unsendable())?;
        match poll_fn(|cx| exchange.poll_head(cx, observer, &self.times)).await {
            Ok(head) => Ok(self.accept_http1(pool, exchange, head, request.method(), wanted)?),
            Err(ended) if is_reused => Err(self.lost_http1(exchange, ended, request, spare)),
            Err(ended) => Err(ended.at(&self.name).into()),
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
            let download = exchange.into_download(&mut head, head_only, self.times.read);
            OriginBody::of_http1(download.map_err(|ended| ended.at(&member))?, pool, member)
        };
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.version_mut() = head.version;
        *response.headers_mut() = head.fields;
        Ok(response)
    }

    /// Whether a request may be sent again that met its end on a connection that had been idle.
    fn lost_http1(
        &self,
        mut exchange: Exchange,
        ended: Ended,
        request: &mut Request<RequestBody>,
        spare: Option<RequestBody>,
    ) -> Lost {
        let may_be_repeated = ended.kind == FailureKind::HeadCut;
        let body = match exchange.reached() {
            Reached::Nobody if may_be_repeated => spare.or_else(|| exchange.take_stream()),
            Reached::Silence if may_be_repeated && request.method().is_idempotent() => spare,
            Reached::Nobody | Reached::Silence | Reached::Somebody => None,
        };
        let failure = ended.at(&self.name);
        let Some(body) = body else { return failure.into() };
        *request.body_mut() = body;
        Lost { failure, again: Again::Yes }
    }
}
