//! A Redis as caches share it: the tier, the leases and the log of purges, over one link.

use std::fmt;
#[cfg(feature = "disk")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{ConnectionAddr, IntoConnectionInfo};

use super::stored::{Stored, StoredCodec};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::lease::Leases;
use crate::log::{DOUBT_BOUND, Log, LogSnapshot, Trust};
#[cfg(feature = "disk")]
use crate::log::{FileOptions, Journal};
use crate::purge::{Bounds, Rules};
use crate::redis::{
    Address, LeaseOptions, Link, LinkOptions, LinkSnapshot, Names, NodeName, RedisLeases, RedisLog,
    RedisLogOptions, RedisOptions, RedisTier, Server, Tls,
};
use crate::tier::Tier;

/// Bytes of values that are on their way from or to Redis at once; beyond it they go in pieces.
const BODIES_BYTES_MAX: usize = 64 << 20;

/// How often one that starts looks whether it has heard the log.
const LOG_PAUSE: Duration = Duration::from_millis(5);

/// How often the others are told that this process lives: twice within the bound at least.
const BEAT_EVERY_MAX: Duration = Duration::from_millis(500);

/// A Redis that caches share. Cloning it shares it; one for a process is enough.
///
/// It is never what a caller waits for long: every call has a limit and a breaker around it, and while
/// Redis is away each process loads for itself, trusts what it has for two seconds at most, and refuses
/// writes, since it could not tell the others.
#[derive(Clone)]
pub struct Redis(Arc<Parts>);

struct Parts {
    link: Arc<Link>,
    tier: Arc<RedisTier<Stored>>,
    leases: Arc<RedisLeases>,
    log: Arc<RedisLog>,
    #[cfg(feature = "disk")]
    has_journal: bool,
}

/// Says how a Redis is reached and shared; [`Redis::builder`] begins one.
#[must_use = "it does nothing until it is opened"]
pub struct RedisBuilder {
    link: Result<LinkOptions, RedisError>,
    prefix: String,
    secret: Option<Vec<u8>>,
    node: String,
    lease: Duration,
    bound: Duration,
    value_bytes_max: u64,
    #[cfg(feature = "disk")]
    journal: Option<PathBuf>,
    clock: Clock,
}

/// Why a Redis cannot be used: its address says nothing that can be tried, or its journal cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisError {
    what: String,
}

impl Redis {
    /// The Redis at this address, with the defaults: `redis://host:port/database`, `rediss://…` for
    /// TLS, `unix:///path`. Waits a second for it, and goes on without it if it does not answer: it
    /// is connected behind. To be called within a tokio runtime.
    pub async fn open(address: &str) -> Result<Self, RedisError> {
        Self::builder(address).open().await
    }

    /// As [`Redis::open`], with more to say.
    pub fn builder(address: &str) -> RedisBuilder {
        RedisBuilder::new(link_options(address))
    }

    /// One that is found otherwise: through Sentinel, or as a Redis Cluster.
    pub fn builder_of(server: Server) -> RedisBuilder {
        RedisBuilder::new(Ok(LinkOptions::new(server)))
    }

    /// What the link to it counts.
    pub fn link(&self) -> LinkSnapshot {
        self.0.link.snapshot()
    }

    /// What the log of purges in it counts.
    pub fn log_numbers(&self) -> LogSnapshot {
        Log::snapshot(&*self.0.log)
    }

    /// Whether every purge that has returned is known here.
    pub fn trust(&self) -> Trust {
        self.0.log.purges().trust_now()
    }

    /// Says goodbye to the other processes, so that none of their writes waits for this one.
    pub async fn close(self) {
        self.0.log.leave().await;
    }

    pub(crate) fn tier(&self) -> Arc<dyn Tier<Stored>> {
        Arc::clone(&self.0.tier) as Arc<dyn Tier<Stored>>
    }

    pub(crate) fn leases(&self) -> Arc<dyn Leases> {
        Arc::clone(&self.0.leases) as Arc<dyn Leases>
    }

    pub(crate) fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.0.log) as Arc<dyn Log>
    }

    /// Whether what is purged is known after a restart.
    #[cfg(feature = "disk")]
    pub(crate) fn has_journal(&self) -> bool {
        self.0.has_journal
    }

    async fn is_heard(&self) {
        self.0.link.connected().await;
        while self.trust() == Trust::Doubt {
            tokio::time::sleep(LOG_PAUSE).await;
        }
    }
}

impl RedisBuilder {
    fn new(link: Result<LinkOptions, RedisError>) -> Self {
        let link =
            link.map(|options| LinkOptions { call_timeout: Duration::from_millis(100), ..options });
        Self {
            link,
            prefix: "forebay-cache:".to_owned(),
            secret: None,
            node: format!("process {}", std::process::id()),
            lease: Duration::from_secs(3),
            bound: DOUBT_BOUND,
            value_bytes_max: 8 << 20,
            #[cfg(feature = "disk")]
            journal: None,
            clock: Clock::system(),
        }
    }

    /// What all names in Redis begin with: `forebay-cache:`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// A secret of all processes. With it, what others write into Redis does not read.
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// How people tell this process from others.
    pub fn node_name(mut self, name: impl Into<String>) -> Self {
        self.node = name.into();
        self
    }

    /// How long one call may take that somebody waits for: 100 ms.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.link = self.link.map(|link| LinkOptions { call_timeout: limit, ..link });
        self
    }

    /// How long connecting may take: 1 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.link = self.link.map(|link| LinkOptions { connect_timeout: limit, ..link });
        self
    }

    /// The certificates that are trusted, as PEM, in place of the system's.
    pub fn roots_pem(mut self, roots: impl Into<Vec<u8>>) -> Self {
        let tls = Some(Tls { roots_pem: Some(roots.into()) });
        self.link = self.link.map(|link| LinkOptions { tls, ..link });
        self
    }

    /// How long the lease of a process that died holds up the others: 3 s.
    pub fn lease(mut self, span: Duration) -> Self {
        self.lease = span;
        self
    }

    /// How long this process may not have heard of purges before it trusts what it holds no longer
    /// than that: 2 s.
    pub fn doubt_after(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// The longest value that is stored there: 8 MiB.
    pub fn value_bytes_max(mut self, bytes: u64) -> Self {
        self.value_bytes_max = bytes;
        self
    }

    /// A directory of this process alone, in one that exists, where it writes down what it hears of
    /// purges. A cache that is on a disk as well needs it: a process that starts while Redis is away, or
    /// has lost its newest purges, knows them from here, and gives nothing from its disk that was removed.
    #[cfg(feature = "disk")]
    pub fn journal(mut self, directory: impl Into<PathBuf>) -> Self {
        self.journal = Some(directory.into());
        self
    }

    /// The clock that lifetimes go by; that of the caches over it.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Opens it; see [`Redis::open`].
    pub async fn open(self) -> Result<Redis, RedisError> {
        let link = self.link?;
        #[cfg(feature = "disk")]
        let (journal, rules) = opened(self.journal).await?;
        #[cfg(not(feature = "disk"))]
        let (journal, rules) = (None, Rules::new(Bounds::default()));
        #[cfg(feature = "disk")]
        let has_journal = journal.is_some();
        let link = Link::open(link);
        let names = Names::of_whole_keys(&self.prefix);
        let options = RedisOptions {
            prefix: self.prefix,
            secret: self.secret.clone(),
            value_bytes_max: self.value_bytes_max,
            ..RedisOptions::default()
        };
        let budget = Budget::new(BODIES_BYTES_MAX);
        let clock = self.clock;
        let codec = Arc::new(StoredCodec);
        let tier = RedisTier::new(Arc::clone(&link), codec, clock.clone(), budget, options);
        let lease = LeaseOptions { ttl: self.lease, ..LeaseOptions::new(names.clone()) };
        let log = RedisLogOptions {
            bound: self.bound,
            secret: self.secret,
            journal,
            beat_every: (self.bound / 4).min(BEAT_EVERY_MAX),
            ..RedisLogOptions::new(names, NodeName { name: self.node, address: None })
        };
        let log = RedisLog::open(Arc::clone(&link), rules, clock, log);
        let redis = Redis(Arc::new(Parts {
            tier: Arc::new(tier),
            leases: RedisLeases::new(Arc::clone(&link), lease),
            log: Arc::new(log),
            link,
            #[cfg(feature = "disk")]
            has_journal,
        }));
        let limit = redis.0.link.options().connect_timeout;
        if tokio::time::timeout(limit, redis.is_heard()).await.is_err() {
            let why = redis.0.link.snapshot().last_failure;
            let why = why.unwrap_or_else(|| format!("it did not answer within {limit:?}"));
            tracing::warn!(why, "redis is not there yet; it is connected behind");
        }
        Ok(redis)
    }
}

/// What a process knew of purges when it ended. Waits for the disk on a thread of its own.
#[cfg(feature = "disk")]
async fn opened(journal: Option<PathBuf>) -> Result<(Option<Journal>, Rules), RedisError> {
    let Some(directory) = journal else { return Ok((None, Rules::new(Bounds::default()))) };
    let opening = move || Journal::open(FileOptions::new(directory));
    match tokio::task::spawn_blocking(opening).await {
        Ok(Ok((journal, rules))) => Ok((Some(journal), rules)),
        Ok(Err(why)) => Err(RedisError { what: format!("cannot keep a journal of purges: {why}") }),
        // Nobody aborts it: it panicked, and so does who waits for it.
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

fn link_options(address: &str) -> Result<LinkOptions, RedisError> {
    let refused = |why: String| RedisError {
        what: format!(
            "cannot use `{}` as a redis: {why}; such as redis://127.0.0.1:6379/0",
            without_password(address)
        ),
    };
    let asked = address.into_connection_info().map_err(|cause| refused(cause.to_string()))?;
    let (at, tls) = match asked.addr() {
        ConnectionAddr::Tcp(host, port) => (Address::Tcp(host.clone(), *port), None),
        ConnectionAddr::TcpTls { host, port, .. } => {
            (Address::Tcp(host.clone(), *port), Some(Tls::default()))
        }
        ConnectionAddr::Unix(path) => (Address::Unix(path.clone()), None),
        other => return Err(refused(format!("`{other}` is no way to it"))),
    };
    let settings = asked.redis_settings();
    let database = u16::try_from(settings.db())
        .map_err(|_| refused("its database is no number".to_owned()))?;
    Ok(LinkOptions {
        username: settings.username().map(str::to_owned),
        password: settings.password().map(str::to_owned),
        database,
        tls,
        ..LinkOptions::new(Server::Single(at))
    })
}

// What stands before the last `@` of an address may be a secret.
fn without_password(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (Some(_) | None, _) => address.to_owned(),
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("log", &self.0.log).finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RedisBuilder");
        shown.field("link", &self.link).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for RedisError {}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_and_who_and_a_wrong_one_why_not_without_its_password() {
        let options = link_options("rediss://ann:secret@[::1]:6380/3").unwrap();
        assert!(options.tls.is_some());
        assert_eq!((options.username.as_deref(), options.database), (Some("ann"), 3));
        assert!(link_options("unix:///run/redis.sock").is_ok());
        for wrong in ["http://ann:secret@host", "redis://ann:secret@host:x", "", "redis://h/x"] {
            let said = link_options(wrong).unwrap_err().to_string();
            assert!(said.contains("redis://127.0.0.1:6379/0"), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
