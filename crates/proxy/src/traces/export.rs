//! Spans on their way to a collector: OTLP over HTTP, in JSON. Nobody waits for it, and what it cannot
//! take is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Sampled, form};
use crate::config::{TraceSettings, UpstreamSettings};
use crate::route::Connects;
use crate::upstream::{RequestBody, Upstream, UpstreamError};

/// Spans that wait to be sent.
const SPANS_MAX: usize = 4096;

/// Spans in one request.
const BATCH_MAX: usize = 512;

/// How long the first of them waits for the others.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a collector may take.
const SEND_MAX: Duration = Duration::from_secs(10);

/// How long the end of the process waits for the last of them.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Bytes of a collector's answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What became of spans.
#[derive(Debug, Default)]
pub struct Counts {
    /// A collector has taken them.
    pub sent: AtomicU64,
    /// Too many waited.
    pub dropped: AtomicU64,
    /// No collector took them.
    pub failed: AtomicU64,
}

/// The way to a collector. Cloning it shares it.
#[derive(Clone)]
pub struct Exporter {
    queue: mpsc::Sender<Sent>,
    counts: Arc<Counts>,
    sample: f64,
}

enum Sent {
    Span(Value),
    /// All that was sent before is on its way; whoever asked is told.
    Flush(oneshot::Sender<()>),
}

/// Opens the way to a collector, and sends in a task of its own. To be called within a runtime.
pub fn open(
    settings: &TraceSettings,
    name: &str,
    connects: &Connects,
) -> Result<Exporter, UpstreamError> {
    let upstream = UpstreamSettings::to(vec![settings.member.clone()]);
    let upstream = Upstream::new(&upstream, connects(&upstream))?;
    let (queue, spans) = mpsc::channel(SPANS_MAX);
    let counts = Arc::<Counts>::default();
    let way = Way {
        upstream,
        path: settings.path.clone(),
        name: name.to_owned(),
        instance: format!("{:016x}", rand::random::<u64>()),
        counts: Arc::clone(&counts),
    };
    tokio::spawn(way.run(spans));
    Ok(Exporter { queue, counts, sample: settings.sample })
}

impl Exporter {
    /// Whether a new trace is of the sample.
    pub(super) fn draw(&self) -> Sampled {
        if rand::random::<f64>() < self.sample { Sampled::Yes } else { Sampled::No }
    }

    pub(super) fn send(&self, span: Value) {
        if self.queue.try_send(Sent::Span(span)).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    pub(super) async fn flush(&self) {
        let (tell, told) = oneshot::channel();
        let flushed = async {
            if self.queue.send(Sent::Flush(tell)).await.is_ok() {
                let _ = told.await;
            }
        };
        // Spans that a collector does not take by then are lost with the process.
        let _ = timeout(FLUSH_MAX, flushed).await;
    }
}

/// The sending end.
struct Way {
    upstream: Arc<Upstream>,
    path: Uri,
    name: String,
    instance: String,
    counts: Arc<Counts>,
}

impl Way {
    async fn run(self, mut spans: mpsc::Receiver<Sent>) {
        while let Some(first) = spans.recv().await {
            let (batch, flushed) = gather(first, &mut spans).await;
            if !batch.is_empty() {
                let count = batch.len() as u64;
                let counter = match timeout(SEND_MAX, self.send(batch)).await {
                    Ok(true) => &self.counts.sent,
                    Ok(false) | Err(_) => &self.counts.failed,
                };
                counter.fetch_add(count, Ordering::Relaxed);
            }
            if let Some(flushed) = flushed {
                // Who asked may have given up.
                let _ = flushed.send(());
            }
        }
    }

    /// Whether a collector has taken them.
    async fn send(&self, batch: Vec<Value>) -> bool {
        let service = [
            ("service.name", "forebay"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.namespace", self.name.as_str()),
            ("service.instance.id", self.instance.as_str()),
        ];
        let body = form::request(&service, batch).to_string();
        let mut request = Request::new(RequestBody::Whole(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let Ok(response) = self.upstream.send(request, None).await else { return false };
        let status = response.status();
        // Read to its end, so that the connection is used again.
        let _ = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        status.is_success()
    }
}

/// What is sent together: all that comes within a moment, or before somebody wants it sent.
async fn gather(
    first: Sent,
    spans: &mut mpsc::Receiver<Sent>,
) -> (Vec<Value>, Option<oneshot::Sender<()>>) {
    let mut batch = Vec::new();
    let until = Instant::now() + PAUSE;
    let mut next = Some(first);
    while let Some(sent) = next {
        match sent {
            Sent::Span(span) => batch.push(span),
            Sent::Flush(tell) => return (batch, Some(tell)),
        }
        if batch.len() >= BATCH_MAX {
            break;
        }
        next = timeout_at(until, spans.recv()).await.ok().flatten();
    }
    (batch, None)
}
