//! Traces: where an exchange stands in one, and the spans that it leaves (W3C Trace Context,
//! OpenTelemetry).
//!
//! Without `[traces]` what a client says of its trace goes to the origin as it came, if it is well
//! formed. With it, each exchange is a server span and each fetch a client span, whether anybody keeps
//! them or not: the origin's parent is our span. Those of the sample are sent to a collector, behind and
//! within bounds (`export`).

mod export;
mod form;

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method, Request, Response};

pub use self::export::{Counts, Exporter, open};
use crate::failure::FetchFailure;
use crate::forward::Trust;
use crate::record::Record;
use crate::traceparent::{Here, Sampled, TRACEPARENT, Traceparent};

/// Gives exchanges their place in traces; without a collector, none. Cloning it shares it.
#[derive(Clone, Default)]
pub struct Tracer(Option<Exporter>);

impl Tracer {
    /// One that sends spans there.
    pub fn to(exporter: Exporter) -> Self {
        Tracer(Some(exporter))
    }

    /// Where a new exchange stands, if traces are on. A listed peer decides whether its trace is kept;
    /// any other client could fill the collector.
    pub fn begin(&self, fields: &HeaderMap, trust: impl FnOnce() -> Trust) -> Option<Here> {
        let exporter = self.0.as_ref()?;
        let parent = Traceparent::of(fields);
        let sampled = match &parent {
            Some(parent) if trust() == Trust::Listed => parent.sampled,
            Some(_) | None => exporter.draw(),
        };
        let trace_id = parent.as_ref().map_or_else(rand::random, |parent| parent.trace_id);
        let parent_id = parent.map(|parent| parent.parent_id);
        Some(Here { trace_id, span_id: rand::random(), parent_id, sampled })
    }

    /// Tells the origin where its request stands, and begins the span of a fetch.
    pub fn fetch<B>(
        &self,
        request: &mut Request<B>,
        from: Option<&Here>,
        url: impl FnOnce() -> String,
    ) -> Fetching {
        let (Some(exporter), Some(from)) = (&self.0, from) else { return Fetching(None) };
        let here = Here { span_id: rand::random(), parent_id: Some(from.span_id), ..*from };
        if let Ok(said) = HeaderValue::from_str(&here.said()) {
            request.headers_mut().insert(TRACEPARENT, said);
        }
        if here.sampled == Sampled::No {
            return Fetching(None);
        }
        let (method, url) = (request.method().clone(), url());
        let exporter = exporter.clone();
        let began = SystemTime::now();
        Fetching(Some(Box::new(Begun { exporter, here, began, method, url })))
    }

    /// Sends the span of an exchange that is over, if it is of the sample.
    pub fn tell(&self, record: &Record) {
        let (Some(exporter), Some(here)) = (&self.0, &record.here) else { return };
        if here.sampled == Sampled::Yes {
            exporter.send(form::server(here, record));
        }
    }

    /// What became of spans so far, if traces are on.
    pub fn counts(&self) -> Option<Arc<Counts>> {
        self.0.as_ref().map(Exporter::counts)
    }

    /// Waits a moment for those that wait to be sent.
    pub async fn close(&self) {
        if let Some(exporter) = &self.0 {
            exporter.flush().await;
        }
    }
}

/// A fetch under way; dropped, it leaves no span: its client has left, and nobody knows how it ended.
pub struct Fetching(Option<Box<Begun>>);

struct Begun {
    exporter: Exporter,
    here: Here,
    began: SystemTime,
    method: Method,
    url: String,
}

impl Fetching {
    /// The origin's head has come, or none will.
    pub fn ended<B>(self, with: &Result<Response<B>, FetchFailure>) {
        let Some(begun) = self.0 else { return };
        let outcome = with.as_ref().map(Response::status).map_err(FetchFailure::detail);
        let span = form::client(&begun.here, begun.began, &begun.method, &begun.url, outcome);
        begun.exporter.send(span);
    }
}
