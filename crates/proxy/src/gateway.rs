//! One gateway: its routes, its cache, its clock, and who it is.
//!
//! Everything that all exchanges share. What one exchange does is in `exchange`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_cache::{Trust, Verdict};
use forebay_semantics::Standing;
use forebay_semantics::key::{Part, TargetParts};
use forebay_semantics::standing::{InPlaceOfErrors, Proof};
use http::{HeaderMap, Method};
use tokio::time::Instant;

use crate::config::{Config, InDoubt, Route, UpstreamSettings};
use crate::kept::{self, Cache, KeptEntry};
use crate::route::Table;
use crate::server::ServerStats;
use crate::storage::Storage;
use crate::telemetry::Telemetry;
use crate::upstream::{Connect, Upstream, UpstreamError};

/// How often expired entries are looked for.
const SWEEP_PAUSE: Duration = Duration::from_millis(250);

/// How the origins of an upstream are reached.
pub type Connects = dyn Fn(&UpstreamSettings) -> Arc<dyn Connect>;

/// Everything that the exchanges of one process share. Cloning it shares it.
#[derive(Clone)]
pub struct Gateway(Arc<State>);

struct State {
    config: Config,
    table: Table<Lane>,
    cache: Cache,
    storage: Storage,
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

impl Lane {
    /// Appends the primary key of a request. Where the template leaves the path out, the route's
    /// prefix stands in, so that two routes of one host never share a key.
    pub fn write_key(
        &self,
        target: &TargetParts<'_>,
        method: &Method,
        fields: &HeaderMap,
        body_digest: Option<&[u8; 32]>,
        out: &mut Vec<u8>,
    ) {
        self.route.key.key(target, method, fields, body_digest, out);
        if !self.route.key.parts.contains(&Part::Path) {
            out.extend_from_slice(self.route.path_prefix.as_bytes());
        }
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
    /// A gateway of this configuration over this storage, which reaches its origins by `connect`.
    pub fn new(
        config: Config,
        connect: &Connects,
        telemetry: Telemetry,
        stats: Arc<ServerStats>,
        storage: Storage,
    ) -> Result<Self, GatewayError> {
        let lanes = config.routes.iter().map(|route| lane(route, connect));
        let table = Table::new(lanes.collect::<Result<Vec<_>, _>>()?);
        // One name a process, kept for as long as that: every `Cache-Status` borrows it.
        let name = Box::leak(config.name.clone().into_boxed_str());
        Ok(Gateway(Arc::new(State {
            table,
            cache: storage.cache(),
            storage,
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

    /// What its cache stands on.
    pub fn storage(&self) -> &Storage {
        &self.0.storage
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
        kept::moment(self.0.cache.clock().now())
    }

    /// What purges take from an entry that was found under this key; `None` if one has killed it.
    pub fn standing(&self, entry: &KeptEntry, key: &[u8], now: Instant) -> Option<Standing> {
        let (log, settings) = (&self.0.storage.log, &self.0.config.purge);
        let in_place_of_errors = match settings.in_doubt {
            InDoubt::Validate | InDoubt::Serve => InPlaceOfErrors::AsEver,
            InDoubt::Strict => InPlaceOfErrors::Never,
        };
        let mut standing = Standing { in_place_of_errors, ..Standing::SOUND };
        match log.purges().judge_entry(entry, key) {
            Verdict::Alive => {}
            Verdict::Stale { since, .. } => standing.stale_since = Some(kept::moment(since)),
            Verdict::Unproven => standing.proof = Proof::Missing,
            Verdict::Gone { .. } => return None,
        }
        let is_in_doubt = log.purges().trust(now) == Trust::Doubt;
        if is_in_doubt && settings.in_doubt != InDoubt::Serve && standing.proof == Proof::Sure {
            // Counted from when the validation was asked for: what was purged since is not known.
            let took = entry.head().response().map_or(Duration::ZERO, |it| it.fetch_duration);
            standing.proof = Proof::Within(log.purges().bound().saturating_sub(took));
        }
        Some(standing)
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

fn lane(route: &Route, connect: &Connects) -> Result<Arc<Lane>, GatewayError> {
    let upstream = Upstream::new(&route.upstream, connect(&route.upstream))
        .map_err(|cause| GatewayError { route: route.name.clone(), cause })?;
    Ok(Arc::new(Lane { route: route.clone(), name: Arc::from(route.name.as_str()), upstream }))
}
