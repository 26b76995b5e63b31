//! The admin listener: metrics, health, readiness. Nothing here changes anything.

use http::{HeaderValue, Method, StatusCode, header};
use tokio::sync::watch;

use crate::answer::{Answer, AnswerBody};
use crate::gateway::Gateway;
use crate::respond;
use crate::secret;
use crate::server::{Request, Service};
use crate::telemetry::{
    Reading, write_disk, write_leases, write_redis, write_refused, write_routes, write_tiers,
};

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
        secret::is_same(token.as_bytes(), said)
    }

    fn metrics(&self) -> String {
        let gateway = &self.gateway;
        let telemetry = gateway.telemetry();
        let bound = gateway.config().memory_bytes;
        let dropped = telemetry.access_log.dropped();
        let mut others = vec![
            Reading::gauge("forebay_memory_bytes_max", "The bound of the memory tier.", bound),
            Reading::counter(
                "forebay_access_log_dropped_total",
                "Access log lines dropped because the reader was behind.",
                dropped,
            ),
        ];
        let cache = gateway.cache().snapshot();
        others.extend(Reading::of_cache(&cache));
        others.extend(Reading::of_server(gateway.stats()));
        let mut text = telemetry.metrics.text(&others);
        write_refused(&mut text, gateway.stats());
        write_tiers(&mut text, &cache);
        if let Some(disk) = &gateway.storage().disk {
            write_disk(&mut text, &disk.snapshot());
        }
        if let Some(shared) = &gateway.storage().shared {
            write_redis(&mut text, &shared.link.snapshot(), &shared.tier.snapshot());
            write_leases(&mut text, &shared.leases.snapshot());
        }
        if let Some(routes) = gateway.routes() {
            write_routes(&mut text, &routes.counts());
        }
        text
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
