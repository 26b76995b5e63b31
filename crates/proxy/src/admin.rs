//! The admin listener: metrics, health, readiness. Nothing here changes anything.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::answer::{Answer, AnswerBody};
use crate::gateway::Gateway;
use crate::respond;
use crate::server::{RefusalReason, Request, Service};
use crate::telemetry::Gauges;

/// Whether clients are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They are.
    Serving,
    /// No more; exchanges under way are finished.
    Draining,
}

/// Answers operators.
#[derive(Clone)]
pub struct Admin {
    gateway: Gateway,
    phase: watch::Receiver<Phase>,
}

impl Admin {
    /// For this gateway, which is in this phase.
    pub fn new(gateway: Gateway, phase: watch::Receiver<Phase>) -> Self {
        Admin { gateway, phase }
    }

    fn route(&self, request: &Request) -> Answer {
        if request.method != Method::GET && request.method != Method::HEAD {
            return respond::own(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD are known here",
            );
        }
        match request.target.path() {
            "/health" => text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
            "/ready" => self.ready(),
            "/metrics" if self.may_read(request) => {
                let kind = "text/plain; version=0.0.4; charset=utf-8";
                text(StatusCode::OK, kind, self.metrics())
            }
            "/metrics" => unauthorized(),
            path => {
                let known = ["/metrics", "/health", "/ready"];
                let nearest = forebay_semantics::key::nearest(path, &known);
                let hint = nearest.unwrap_or("/metrics, /health or /ready");
                respond::own(StatusCode::NOT_FOUND, &format!("nothing is here; try {hint}"))
            }
        }
    }

    fn ready(&self) -> Answer {
        let kind = "text/plain; charset=utf-8";
        match *self.phase.borrow() {
            Phase::Serving => text(StatusCode::OK, kind, "ready\n".to_owned()),
            Phase::Draining => text(StatusCode::SERVICE_UNAVAILABLE, kind, "draining\n".to_owned()),
        }
    }

    /// Where a token is set, reading the metrics asks for it as well.
    fn may_read(&self, request: &Request) -> bool {
        let Some(token) = &self.gateway.config().admin_token else { return true };
        let said = request.fields.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let said = said.and_then(|said| said.strip_prefix(b"Bearer ")).unwrap_or_default();
        // Digests are compared, so that the time taken says nothing of the token.
        Sha256::digest(said) == Sha256::digest(token.as_bytes())
    }

    fn metrics(&self) -> String {
        let mut others = Vec::with_capacity(48);
        self.cache_gauges(&mut others);
        self.server_gauges(&mut others);
        self.gateway.telemetry().metrics.text(&others)
    }

    fn cache_gauges(&self, others: &mut Gauges) {
        let cache = self.gateway.cache();
        let now = cache.snapshot();
        let bound = self.gateway.config().memory_bytes;
        others.extend([
            (
                "forebay_memory_bytes",
                "Bytes that memory holds, overhead counted.",
                "gauge",
                now.memory_bytes,
            ),
            ("forebay_memory_bytes_max", "The bound of the memory tier.", "gauge", bound),
            ("forebay_memory_entries", "Entries that memory holds.", "gauge", now.entries),
            (
                "forebay_body_bytes",
                "Body bytes alive: kept, arriving or still read.",
                "gauge",
                now.body_bytes,
            ),
            (
                "forebay_memory_hits_total",
                "Look-ups that memory answered.",
                "counter",
                now.memory_hits,
            ),
            ("forebay_memory_inserts_total", "Entries taken into memory.", "counter", now.inserts),
            (
                "forebay_memory_refused_total",
                "Entries too large for memory.",
                "counter",
                now.refused,
            ),
            (
                "forebay_memory_evicted_total",
                "Entries evicted for want of room.",
                "counter",
                now.evicted,
            ),
            (
                "forebay_memory_expired_total",
                "Entries reclaimed after their time.",
                "counter",
                now.expired,
            ),
            (
                "forebay_flights",
                "Fetches that several requests may share, now.",
                "gauge",
                now.flights,
            ),
            ("forebay_flights_led_total", "Fetches led.", "counter", now.led),
            (
                "forebay_flights_followed_total",
                "Requests that shared another's fetch.",
                "counter",
                now.followed,
            ),
            (
                "forebay_flights_declined_total",
                "Fetches that were not shareable.",
                "counter",
                now.declined,
            ),
            (
                "forebay_flights_abandoned_total",
                "Fetches that failed for all who waited.",
                "counter",
                now.abandoned,
            ),
            (
                "forebay_flights_timed_out_total",
                "Requests that waited too long for another's fetch.",
                "counter",
                now.timed_out,
            ),
            (
                "forebay_flights_unshared_total",
                "Requests for keys known as not shareable.",
                "counter",
                now.unshared,
            ),
            (
                "forebay_bodies_windowed_total",
                "Bodies that outgrew their bound and passed through.",
                "counter",
                now.windowed,
            ),
        ]);
        let dropped = self.gateway.telemetry().access_log.dropped();
        let help = "Access log lines dropped because the reader was behind.";
        others.push(("forebay_access_log_dropped_total", help, "counter", dropped));
    }

    fn server_gauges(&self, others: &mut Gauges) {
        let stats = self.gateway.stats();
        let now = |value: &AtomicU64| value.load(Ordering::Relaxed);
        others.extend([
            (
                "forebay_connections",
                "Client connections, now.",
                "gauge",
                now(&stats.connections_open),
            ),
            (
                "forebay_connections_total",
                "Client connections accepted.",
                "counter",
                now(&stats.connections_accepted),
            ),
            (
                "forebay_connections_h2_total",
                "Client connections that spoke HTTP/2.",
                "counter",
                now(&stats.connections_h2),
            ),
            (
                "forebay_accepts_failed_total",
                "Accepts that failed.",
                "counter",
                now(&stats.accepts_failed),
            ),
            ("forebay_requests", "Exchanges under way, now.", "gauge", now(&stats.exchanges_open)),
            (
                "forebay_requests_total",
                "Requests whose head was accepted.",
                "counter",
                now(&stats.requests),
            ),
            (
                "forebay_panics_total",
                "Exchanges that ended in a panic.",
                "counter",
                now(&stats.panics),
            ),
            (
                "forebay_answers_cut_total",
                "Answers whose client went or stalled.",
                "counter",
                now(&stats.answers_cut),
            ),
            (
                "forebay_answers_broken_total",
                "Answers whose body broke on its way.",
                "counter",
                now(&stats.answers_broken),
            ),
            (
                "forebay_clients_gone_total",
                "Clients that left before their answer.",
                "counter",
                now(&stats.clients_gone),
            ),
        ]);
        let refused = RefusalReason::ALL.iter().map(|reason| stats.refused(*reason)).sum();
        let help = "Requests that broke the rules of HTTP or a bound.";
        others.push(("forebay_requests_refused_total", help, "counter", refused));
    }
}

impl Service for Admin {
    async fn answer(&self, request: Request) -> Answer {
        let is_head = request.method == Method::HEAD;
        let mut answer = self.route(&request);
        if let (true, AnswerBody::Whole(bytes)) = (is_head, &answer.body) {
            answer.body = AnswerBody::Sized(Some(bytes.len() as u64));
        }
        answer
    }
}

fn unauthorized() -> Answer {
    let words = "say the admin token in `Authorization: Bearer`";
    let mut answer = respond::own(StatusCode::UNAUTHORIZED, words);
    answer.fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = respond::own(status, "");
    answer.fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.body = AnswerBody::Whole(text.into());
    answer
}
