//! An exchange that is under way: told of when the last byte of its answer has left, or when its
//! client has.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use forebay_semantics::status::CacheStatus;
use http::{Method, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;

use super::Telemetry;
use crate::answer::{Answer, AnswerBody, BodyError};
use crate::compressor::Saving;
use crate::failure::FetchFailure;
use crate::record::Record;
use crate::server::Request;
use crate::traceparent::{Here, Sampled, Traceparent};

/// What is known of an exchange before it is answered.
pub struct Telling {
    telemetry: Arc<Telemetry>,
    began: Instant,
    line: Option<Box<Line>>,
}

/// What only the access log and traces want; made only where there is one of them.
struct Line {
    began: SystemTime,
    client: Option<std::net::SocketAddr>,
    method: Method,
    version: Version,
    url: String,
    route: Option<Arc<str>>,
    trace: Option<String>,
    here: Option<Here>,
}

impl Telling {
    pub(super) fn begin(
        telemetry: Arc<Telemetry>,
        request: &Request,
        began: Instant,
        here: Option<Here>,
    ) -> Self {
        let is_sampled = here.is_some_and(|here| here.sampled == Sampled::Yes);
        let line = (telemetry.access_log.is_on() || is_sampled).then(|| {
            let said = || Traceparent::of(&request.fields);
            Box::new(Line {
                began: SystemTime::now(),
                client: request.peer.address,
                method: request.method.clone(),
                version: request.version,
                url: request.target.to_string(),
                route: None,
                trace: match here {
                    Some(here) => Some(here.trace()),
                    None => said().map(|parent| parent.trace()),
                },
                here,
            })
        });
        Telling { telemetry, began, line }
    }

    /// The same, now that the request is routed and its target URI known.
    pub fn on(mut self, route: &Arc<str>, url: impl FnOnce() -> String) -> Self {
        if let Some(line) = &mut self.line {
            line.url = url();
            line.route = Some(Arc::clone(route));
        }
        self
    }

    /// Tells of the exchange when the body of its answer has ended.
    pub fn watch(
        self,
        answer: &mut Answer,
        said: CacheStatus<'static>,
        failure: Option<FetchFailure>,
        coded: Option<Saving>,
    ) {
        let failure = failure.map(|failure| failure.to_string());
        let status = answer.status;
        let mut told = Told { telling: self, status, said, failure, coded, body_bytes: 0 };
        match &mut answer.body {
            AnswerBody::Whole(bytes) => told.body_bytes = bytes.len() as u64,
            AnswerBody::None | AnswerBody::Sized(_) => {}
            AnswerBody::Stream { length, frames } => {
                let (length, frames) = (*length, std::mem::take(frames));
                let frames = Watched { frames, told }.boxed_unsync();
                answer.body = AnswerBody::Stream { length, frames };
            }
        }
    }
}

/// An answered exchange; dropping it tells of it.
struct Told {
    telling: Telling,
    status: StatusCode,
    said: CacheStatus<'static>,
    failure: Option<String>,
    coded: Option<Saving>,
    body_bytes: u64,
}

impl Drop for Told {
    fn drop(&mut self) {
        let Telling { telemetry, began, line } = &mut self.telling;
        let duration = began.elapsed();
        telemetry.metrics.count(self.status, &self.said, duration, self.body_bytes);
        let Some(line) = line.take() else { return };
        let record = Record {
            began: line.began,
            client: line.client,
            method: line.method,
            version: line.version,
            url: line.url,
            route: line.route,
            status: self.status,
            body_bytes: self.body_bytes,
            duration,
            cache: self.said,
            failure: self.failure.take(),
            trace: line.trace,
            here: line.here,
            coding: self.coded.map(|coded| coded.coding),
        };
        telemetry.access_log.write(&record);
        telemetry.tracer.tell(&record);
    }
}

/// A body that counts its bytes.
struct Watched {
    frames: UnsyncBoxBody<Bytes, BodyError>,
    told: Told,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.frames).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.told.body_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Some(Err(broken)) => self.told.failure = Some(broken.to_string()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}
