//! The admin listener: health and metrics for anyone who may ask, and for operators who say the
//! token, what they see and change.
//!
//! `dispatch` has the table of calls and says which one a request is, pure; `crate::guard` whether it may
//! be made. `body` reads what a call is told, `reply` writes what it says. To add a call, add a
//! row to the table, an arm to `Admin::make`, and its lines to `openapi.json`.

mod body;
mod dashboard;
mod dispatch;
mod life;
mod metrics;
pub mod purges;
mod reply;
mod routes;
pub mod why;

use std::sync::Arc;
use std::time::Duration;

use forebay_cache::mechanism::Trust;
use http::{Method, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;

pub use dispatch::{Call, DashboardFile, Found, Lost, RoutesCall, Row, TABLE, find};
pub use routes::RoutesDesk;
pub use why::WhyDesk;

use self::reply::{Kind, text};
use self::routes::Watchers;
use crate::answer::{Answer, AnswerBody};
use crate::config::text::in_time;
use crate::gateway::{Gateway, Live};
use crate::guard::Gate;
use crate::reload::Reloader;
use crate::server::{Request, Service};
use crate::status::StatusDesk;
use crate::storage::StorageError;
use crate::succession::Upgrader;
use crate::upstream::Destinations;

/// What can be called, for programs.
pub const OPENAPI: &str = include_str!("admin/openapi.json");

/// Whether clients are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They are.
    Serving,
    /// No more; exchanges under way are finished.
    Draining,
}

impl Phase {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Serving => "serving",
            Phase::Draining => "draining",
        }
    }
}

/// Answers operators.
#[derive(Clone)]
pub struct Admin {
    live: Live,
    phase: watch::Receiver<Phase>,
    gate: Arc<Gate>,
    destinations: Arc<Destinations>,
    routes: Option<RoutesDesk>,
    why: WhyDesk,
    life: Life,
    status: StatusDesk,
    watchers: Watchers,
}

/// Who does what operators ask for, beside the gateway itself.
pub struct Desks {
    /// The routes in Redis, if there are any.
    pub routes: Option<RoutesDesk>,
    /// Why something would be answered as it would.
    pub why: WhyDesk,
    /// How this node is.
    pub status: StatusDesk,
    /// How the process itself goes on.
    pub life: Life,
}

/// How the process itself goes on under another configuration, or as another.
#[derive(Clone, Default)]
pub struct Life {
    /// Reads the configuration again, where there is a file.
    pub reloader: Option<Arc<Reloader>>,
    /// Starts a successor, where there can be one.
    pub upgrader: Option<Arc<Upgrader>>,
}

impl Desks {
    /// For this gateway; answers what other nodes ask from here on. To be called within a runtime.
    pub fn open(live: &Live, life: Life) -> Result<Self, StorageError> {
        let routes = RoutesDesk::open(&live.now())?;
        Ok(Desks { routes, why: WhyDesk::open(live), status: StatusDesk::open(), life })
    }
}

impl Admin {
    /// For this gateway, which is in this phase, guarded so, and connects only there.
    pub fn new(
        live: Live,
        phase: watch::Receiver<Phase>,
        gate: Arc<Gate>,
        destinations: Arc<Destinations>,
        desks: Desks,
    ) -> Self {
        let (Desks { routes, why, status, life }, watchers) = (desks, Watchers::default());
        Admin { live, phase, gate, destinations, routes, why, status, life, watchers }
    }

    async fn respond(&self, request: Request) -> Answer {
        let path = request.target.path().to_owned();
        let found = match find(&request.method, &path) {
            Ok(found) => found,
            Err(lost) => return reply::lost(&lost),
        };
        if let Err(forbidden) = self.gate.judge(found.row.asks, &request.fields) {
            return reply::forbidden(forbidden);
        }
        self.make(found, request).await
    }

    async fn make(&self, found: Found, request: Request) -> Answer {
        let gateway = &self.live.now();
        match found.row.call {
            Call::Reload => life::reload(&self.life).await,
            Call::Upgrade => life::upgrade(&self.life, request.body).await,
            Call::Dashboard(file) => dashboard::file(file),
            Call::Status => {
                let phase = *self.phase.borrow();
                let status = self.status.status(gateway, phase).await;
                reply::value(StatusCode::OK, &status)
            }
            Call::Why => why::answer(gateway, &self.why, request.body).await,
            Call::Purge => purges::purge(gateway, request.body).await,
            Call::Health => text(StatusCode::OK, Kind::Text, self.health(gateway)),
            Call::Ready => self.ready(),
            Call::Metrics => {
                let text = metrics::text(gateway, &self.destinations, &self.life);
                reply::text(StatusCode::OK, Kind::Metrics, text)
            }
            Call::OpenApi => text(StatusCode::OK, Kind::Json, OPENAPI.to_owned()),
            Call::Routes(call) => self.make_of_routes(call, found.part, request).await,
        }
    }

    async fn make_of_routes(
        &self,
        call: RoutesCall,
        host: Option<String>,
        request: Request,
    ) -> Answer {
        let Some(desk) = &self.routes else { return routes::none() };
        let host = host.unwrap_or_default();
        match call {
            RoutesCall::List => routes::list(&self.live.now(), desk, request.target.query()),
            RoutesCall::Watch => routes::watch(desk, &self.watchers),
            RoutesCall::Read => routes::read(desk, &host).await,
            RoutesCall::Set => routes::set(desk, &self.destinations, &host, request.body).await,
            RoutesCall::Delete => routes::delete(desk, &host).await,
        }
    }

    /// It lives; whether purges are heard of, and whether the last reload came to anything.
    fn health(&self, gateway: &Gateway) -> String {
        let reloads = self.life.reloader.as_ref().map(|reloader| reloader.told());
        let why = reloads.and_then(|reloads| reloads.why);
        let reload = why.map(|why| format!("the last reload was refused: {why}\n"));
        Self::trusts(gateway) + &reload.unwrap_or_default()
    }

    fn trusts(gateway: &Gateway) -> String {
        let now = gateway.storage().log.purges().snapshot(Instant::now());
        match (now.trust, now.heard_ago) {
            (Trust::Sure, _) => "ok\n".to_owned(),
            (Trust::Doubt, None) => "ok, in doubt: purges were never heard of\n".to_owned(),
            (Trust::Doubt, Some(ago)) => {
                let ago = in_time(Duration::from_millis(ago.as_millis() as u64));
                format!("ok, in doubt: purges have not been heard of for {ago}\n")
            }
        }
    }

    fn ready(&self) -> Answer {
        match *self.phase.borrow() {
            Phase::Serving => text(StatusCode::OK, Kind::Text, "ready\n".to_owned()),
            Phase::Draining => {
                text(StatusCode::SERVICE_UNAVAILABLE, Kind::Text, "draining\n".to_owned())
            }
        }
    }
}

impl Service for Admin {
    async fn answer(&self, request: Request) -> Answer {
        let is_head = request.method == Method::HEAD;
        let mut answer = self.respond(request).await;
        if let (true, AnswerBody::Whole(bytes)) = (is_head, &answer.body) {
            answer.body = AnswerBody::Sized(Some(bytes.len() as u64));
        }
        answer
    }
}

#[cfg(test)]
mod tests;
