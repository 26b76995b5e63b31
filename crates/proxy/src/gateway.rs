//! One gateway: its routes, its cache, its clock, and who it is.
//!
//! Everything that all exchanges share. What one exchange does is in `exchange`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_cache::{Clock, Options};

use crate::answer::Answer;
use crate::config::{Config, Route};
use crate::exchange;
use crate::kept::Cache;
use crate::route::Table;
use crate::server::{Request, ServerStats, Service};
use crate::telemetry::Telemetry;
use crate::upstream::{Connect, Upstream, UpstreamError};

/// How often expired entries are looked for.
const SWEEP_PAUSE: Duration = Duration::from_millis(250);

/// Everything that the exchanges of one process share. Cloning it shares it.
#[derive(Clone)]
pub struct Gateway(Arc<State>);

struct State {
    config: Config,
    table: Table<Lane>,
    cache: Cache,
    telemetry: Telemetry,
    stats: Arc<ServerStats>,
    name: &'static str,
    node: String,
    requests: AtomicUsize,
}

/// A route and the connections to where it leads.
pub struct Lane {
    /// The route.
    pub route: Route,
    /// Its name, shared with the log.
    pub name: Arc<str>,
    /// Where it leads.
    pub upstream: Arc<Upstream>,
}

impl AsRef<Route> for Lane {
    fn as_ref(&self) -> &Route {
        &self.route
    }
}

/// Why a gateway cannot be made of a configuration.
#[derive(Debug)]
pub struct GatewayError {
    route: String,
    cause: UpstreamError,
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use the upstream of route `{}`: {}", self.route, self.cause)
    }
}

impl std::error::Error for GatewayError {}

impl Gateway {
    /// A gateway of this configuration, which tells the time by `clock` and reaches its origins by
    /// `connect`.
    pub fn new(
        config: Config,
        clock: Clock,
        connect: &Arc<dyn Connect>,
        telemetry: Telemetry,
        stats: Arc<ServerStats>,
    ) -> Result<Self, GatewayError> {
        let lanes = config.routes.iter().map(|route| lane(route, connect));
        let table = Table::new(lanes.collect::<Result<Vec<_>, _>>()?);
        let options = Options { memory_bytes_max: memory_bytes(&config), ..Options::default() };
        // One name a process, kept for as long as that: every `Cache-Status` borrows it.
        let name = Box::leak(config.name.clone().into_boxed_str());
        Ok(Gateway(Arc::new(State {
            table,
            cache: Cache::new(&options, clock),
            telemetry,
            stats,
            name,
            node: format!("{:016x}", rand::random::<u64>()),
            requests: AtomicUsize::new(0),
            config,
        })))
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Its cache.
    pub fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// Where its records go.
    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// What its client side has counted.
    pub fn stats(&self) -> &ServerStats {
        &self.0.stats
    }

    /// What it calls itself.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// What tells this process from others of the same name.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// The moment now, as the rules tell it.
    pub fn now(&self) -> forebay_semantics::Timestamp {
        crate::kept::moment(self.0.cache.clock().now())
    }

    /// The route for a host in lower case and a raw path.
    pub fn lane(&self, host: &str, path: &str) -> Option<Arc<Lane>> {
        self.0.table.find(host, path).cloned()
    }

    /// Reclaims what has expired, for ever. To be spawned.
    pub async fn sweep(&self) {
        self.0.cache.sweep(SWEEP_PAUSE).await;
    }

    /// A place among the requests under way, unless there are too many.
    pub fn enter(&self) -> Option<Place> {
        let before = self.0.requests.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        (before < self.0.config.limits.requests_max).then_some(place)
    }
}

/// A request's place among those under way; dropping it leaves.
pub struct Place(Gateway);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service for Gateway {
    async fn answer(&self, request: Request) -> Answer {
        exchange::exchange(self, request).await
    }
}

fn lane(route: &Route, connect: &Arc<dyn Connect>) -> Result<Arc<Lane>, GatewayError> {
    let upstream = Upstream::new(&route.upstream, Arc::clone(connect))
        .map_err(|cause| GatewayError { route: route.name.clone(), cause })?;
    Ok(Arc::new(Lane { route: route.clone(), name: Arc::from(route.name.as_str()), upstream }))
}

fn memory_bytes(config: &Config) -> usize {
    usize::try_from(config.memory_bytes).unwrap_or(usize::MAX)
}
