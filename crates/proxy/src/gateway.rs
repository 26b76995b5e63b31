//! One gateway: its routes, its cache, its clock, and who it is.
//!
//! Everything that all exchanges share. What one exchange does is in `exchange`. A [`Gateway`] is a
//! gateway under one configuration, which never changes; [`Live`] is the one that counts now, taken
//! once an exchange, so that each ends under the configuration that it began with.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use forebay_cache::mechanism::{Trust, Verdict};
use forebay_semantics::Standing;
use forebay_semantics::standing::{InPlaceOfErrors, Proof};
use tokio::time::Instant;

use crate::config::{Config, InDoubt, Switch};
use crate::kept::{self, Cache, KeptEntry};
pub use crate::route::{Connects, Lane};
use crate::route::{DynamicRoutes, Grounds, NotLearned, Source, Table, Upstreams, Way};
use crate::server::ServerStats;
use crate::storage::Storage;
use crate::telemetry::Telemetry;
use crate::tls::Tls;
use crate::upstream::UpstreamError;

/// How often expired entries are looked for.
const SWEEP_PAUSE: Duration = Duration::from_millis(250);

/// Everything that the exchanges of one process share under one configuration. Cloning it shares it.
#[derive(Clone)]
pub struct Gateway(Arc<State>);

/// What a configuration makes. Another one makes another.
struct State {
    config: Config,
    table: Table<Lane>,
    telemetry: Arc<Telemetry>,
    tls: OnceLock<Arc<Tls>>,
    lasting: Arc<Lasting>,
}

/// What is there as long as the process is.
struct Lasting {
    upstreams: Arc<Upstreams>,
    routes: Option<Arc<DynamicRoutes>>,
    cache: Cache,
    storage: Storage,
    stats: Arc<ServerStats>,
    name: &'static str,
    node: String,
    requests: AtomicUsize,
}

/// The gateway under the configuration that counts now. Cloning it shares it.
#[derive(Clone)]
pub struct Live(Arc<ArcSwap<State>>);

impl Live {
    /// This one, until another takes its place.
    pub fn of(gateway: Gateway) -> Self {
        Live(Arc::new(ArcSwap::new(gateway.0)))
    }

    /// The gateway as it is now. What is asked of it later is told under the same configuration.
    pub fn now(&self) -> Gateway {
        Gateway(self.0.load_full())
    }

    /// Puts another in its place, for all that begins from here on.
    pub fn replace(&self, next: Gateway) {
        self.0.store(next.0);
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
    /// A gateway of this configuration over this storage, which reaches its origins by `connects`,
    /// and reads at `source` the routes that live in Redis, if the configuration wants any.
    pub fn new(
        config: Config,
        connects: Arc<Connects>,
        telemetry: Telemetry,
        stats: Arc<ServerStats>,
        storage: Storage,
        source: Option<Arc<dyn Source>>,
    ) -> Result<Self, GatewayError> {
        let upstreams = Upstreams::new(connects);
        let lanes = config.routes.iter().map(|route| {
            let refused = |cause| GatewayError { route: route.name.clone(), cause };
            Lane::ready(route, &upstreams).map_err(refused)
        });
        let table = Table::new(lanes.collect::<Result<Vec<_>, _>>()?);
        let routes = config.dynamic.clone().zip(source).map(|(settings, source)| {
            DynamicRoutes::new(settings, source, Arc::clone(&upstreams), storage.clock().clone())
        });
        // One name a process, kept for as long as that: every `Cache-Status` borrows it.
        let name = Box::leak(config.name.clone().into_boxed_str());
        let lasting = Lasting {
            upstreams,
            routes,
            cache: storage.cache(),
            storage,
            stats,
            name,
            node: format!("{:016x}", rand::random::<u64>()),
            requests: AtomicUsize::new(0),
        };
        Ok(Gateway::of(config, table, telemetry, Arc::new(lasting)))
    }

    /// The same gateway under another configuration, which must not want anything else of what
    /// lasts. Routes that bear the name of one before keep the standing of its members. Reads files
    /// of certificates.
    pub fn under(&self, config: Config, telemetry: Telemetry) -> Result<Self, GatewayError> {
        let lasting = Arc::clone(&self.0.lasting);
        let before: HashMap<&str, &Arc<Lane>> =
            self.lanes().map(|lane| (&*lane.route.name, lane)).collect();
        let lanes = config.routes.iter().map(|route| {
            let refused = |cause| GatewayError { route: route.name.clone(), cause };
            let made = match before.get(route.name.as_str()) {
                Some(before) => Lane::succeeding(route, &lasting.upstreams, before),
                None => Lane::ready(route, &lasting.upstreams),
            };
            made.map_err(refused)
        });
        let table = Table::new(lanes.collect::<Result<Vec<_>, _>>()?);
        Ok(Gateway::of(config, table, telemetry, lasting))
    }

    fn of(config: Config, table: Table<Lane>, telemetry: Telemetry, lasting: Arc<Lasting>) -> Self {
        let (telemetry, tls) = (Arc::new(telemetry), OnceLock::new());
        Gateway(Arc::new(State { config, table, telemetry, tls, lasting }))
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Its cache.
    pub fn cache(&self) -> &Cache {
        &self.0.lasting.cache
    }

    /// What its cache stands on.
    pub fn storage(&self) -> &Storage {
        &self.0.lasting.storage
    }

    /// Where its records go.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.0.telemetry
    }

    /// What its client side has counted.
    pub fn stats(&self) -> &ServerStats {
        &self.0.lasting.stats
    }

    /// From now on it is known that clients are secured by this TLS, which looks certificates up in the
    /// Redis of the cluster where that is wanted. Said once of each.
    pub fn secure(&self, tls: Arc<Tls>) {
        let (config, shared) = (self.config(), &self.storage().shared);
        if let (Switch::On, Some(shared), Some(redis)) = (config.tls.redis, shared, &config.redis) {
            tls.borrow_from(Arc::clone(&shared.link), &redis.prefix);
        }
        // Nobody says it twice.
        let _ = self.0.tls.set(tls);
    }

    /// The TLS of its clients, if there is any.
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.0.tls.get()
    }

    /// What it calls itself.
    pub fn name(&self) -> &'static str {
        self.0.lasting.name
    }

    /// What tells this process from others of the same name.
    pub fn node(&self) -> &str {
        &self.0.lasting.node
    }

    /// The moment now, as the rules tell it.
    pub fn now(&self) -> forebay_semantics::Timestamp {
        kept::moment(self.0.lasting.cache.clock().now())
    }

    /// What purges take from an entry that was found under this key; `None` if one has killed it.
    pub fn standing(&self, entry: &KeptEntry, key: &[u8], now: Instant) -> Option<Standing> {
        let (log, settings) = (&self.0.lasting.storage.log, &self.0.config.purge);
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
        if log.purges().trust(now) == Trust::Sure {
            return Some(standing);
        }
        if self.0.lasting.storage.is_without_purges() {
            // Another process takes them, and nobody tells this one.
            standing.proof = Proof::Missing;
            return Some(standing);
        }
        if settings.in_doubt == InDoubt::Serve {
            standing.proof = Proof::Sure;
        } else if standing.proof == Proof::Sure {
            // Counted from when the validation was asked for: what was purged since is not known.
            let took = entry.head().response().map_or(Duration::ZERO, |it| it.fetch_duration);
            standing.proof = Proof::Within(log.purges().bound().saturating_sub(took));
        }
        Some(standing)
    }

    /// The routes in Redis, if there are any.
    pub fn routes(&self) -> Option<&Arc<DynamicRoutes>> {
        self.0.lasting.routes.as_ref()
    }

    /// The way for a host in lower case and a raw path. Waits for nobody.
    pub fn way(&self, host: &str, path: &str, grounds: Grounds) -> Way {
        match &self.0.lasting.routes {
            None => self.0.table.find(host, path).map_or(Way::None, |lane| Way::Lane(lane.clone())),
            Some(routes) => routes.find(&self.0.table, host, path, grounds),
        }
    }

    /// Asks Redis for a host whose way is unknown.
    pub async fn learn(&self, host: &str) -> Result<(), NotLearned> {
        match &self.0.lasting.routes {
            None => Ok(()),
            Some(routes) => routes.learn(host).await,
        }
    }

    /// All routes that the configuration names.
    pub fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        self.0.table.iter()
    }

    /// Reclaims what has expired, for ever. To be spawned.
    pub async fn sweep(&self) {
        self.0.lasting.cache.sweep(SWEEP_PAUSE).await;
    }

    /// A place among the requests under way, unless there are too many.
    pub fn enter(self) -> Result<Place, Self> {
        let requests = &self.0.lasting.requests;
        if requests.fetch_add(1, Ordering::Relaxed) < self.0.config.limits.requests_max {
            return Ok(Place(self));
        }
        requests.fetch_sub(1, Ordering::Relaxed);
        Err(self)
    }
}

/// A request's place among those under way; dropping it leaves.
pub struct Place(Gateway);

impl Place {
    /// Where it is.
    pub fn gateway(&self) -> &Gateway {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.lasting.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
