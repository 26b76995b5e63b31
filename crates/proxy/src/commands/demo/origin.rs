//! The demo's origin: slow on purpose, and it can be told to fail for a while.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::time::Instant;

const PAGE: &str = include_str!("page.html");

/// How long an answer takes.
const DELAY: Duration = Duration::from_secs(2);

/// How long it fails once it was told to.
const BROKEN_FOR: Duration = Duration::from_secs(10);

/// What the origin remembers.
#[derive(Default)]
struct Origin {
    answers: AtomicU64,
    broken_until: Mutex<Option<Instant>>,
}

/// Answers on this listener for ever.
pub(super) async fn serve(listener: TcpListener) {
    let origin = Arc::new(Origin::default());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let origin = Arc::clone(&origin);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&origin), request));
            let connection = hyper::server::conn::http1::Builder::new();
            // A connection that breaks is the gateway's to notice.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    origin: Arc<Origin>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    Ok(match (request.method(), path) {
        (_, "/") => reply(StatusCode::OK, "text/html; charset=utf-8", "no-cache", PAGE.to_owned()),
        (_, "/count") => {
            let answers = origin.answers.load(Ordering::Relaxed);
            let text = format!("{{\"answers\":{answers}}}\n");
            reply(StatusCode::OK, "application/json", "no-store", text)
        }
        (&Method::POST, "/break") => {
            *origin.broken_until.lock() = Some(Instant::now() + BROKEN_FOR);
            let text = format!("failing for {} s\n", BROKEN_FOR.as_secs());
            reply(StatusCode::OK, "text/plain", "no-store", text)
        }
        (_, path) if path.starts_with("/slow") => origin.slow(path).await,
        (_, path) => {
            let text = format!("no `{path}` here; try `/slow`\n");
            reply(StatusCode::NOT_FOUND, "text/plain", "no-store", text)
        }
    })
}

impl Origin {
    async fn slow(&self, path: &str) -> Response<Full<Bytes>> {
        let serial = 1 + self.answers.fetch_add(1, Ordering::Relaxed);
        let broken = self.broken_until.lock().is_some_and(|until| Instant::now() < until);
        if broken {
            let text = "broken on purpose\n".to_owned();
            return reply(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "no-store", text);
        }
        tokio::time::sleep(DELAY).await;
        let text = format!("answer {serial} of the origin, for {path}\n");
        let keep = "max-age=5, stale-while-revalidate=30, stale-if-error=300";
        reply(StatusCode::OK, "text/plain", keep, text)
    }
}

fn reply(status: StatusCode, kind: &str, keep: &str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    for (name, value) in [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
