//! What the cache stands on: the bounds of memory, the tiers below it, and who may fetch in the whole
//! cluster.

mod lent;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay_cache::disk::{DiskError, DiskOptions};
use forebay_cache::log::{FileLog, FileOptions, Journal, MemoryLog};
use forebay_cache::mechanism::{Bounds, Budget, Clock, Leases, Log, Options, Rules, Tier, Trust};
use forebay_cache::redis::{
    self, LeaseOptions, Link, LinkOptions, Names, NodeName, RedisLeases, RedisLog, RedisLogOptions,
    RedisOptions, RedisTier, Server, Tls, Tracked, TrackedOptions,
};
use tokio::time::Instant;

pub use lent::LentDisk;

use crate::compressor::Compressor;
use crate::config::defaults;
use crate::config::{
    self, Admission, Config, DiskSettings, InDoubt, Listen, RedisServers, RedisSettings, Switch,
};
use crate::kept::{self, Cache, Kept};
use crate::kept_codec::KeptCodec;
use crate::route::Source;
use crate::route::value::VALUE_BYTES_MAX;

/// Bytes of bodies alive beyond the memory tier: a quarter of it, within these.
const ARRIVING_BYTES_LEAST: usize = 8 << 20;
const ARRIVING_BYTES_MOST: usize = 64 << 20;

/// Where the log of purges lies beside the disk tier.
const LOG_DIRECTORY: &str = "purges";

/// How often a node tells Redis where it is in the log.
const BEAT_EVERY_MAX: Duration = Duration::from_millis(500);

/// How often a node that starts looks whether it has heard the log.
const LOG_PAUSE: Duration = Duration::from_millis(5);

/// How long a first use is remembered where only the second is put into Redis.
const SECOND_USE_WITHIN: Duration = Duration::from_secs(600);

/// The tiers of a cache, opened.
pub struct Storage {
    options: Options,
    budget: Budget,
    clock: Clock,
    node_name: String,
    /// The disk.
    pub disk: Option<Arc<LentDisk>>,
    /// What all nodes of a cluster share.
    pub shared: Option<Shared>,
    /// The log of purges.
    pub log: Arc<dyn Log>,
    /// Makes coded forms of what is kept.
    pub compressor: Compressor,
    is_given_away: AtomicBool,
}

/// Redis, in each of its uses.
pub struct Shared {
    /// The way to it.
    pub link: Arc<Link>,
    /// The tier.
    pub tier: Arc<RedisTier<Kept>>,
    /// Who may fetch.
    pub leases: Arc<RedisLeases>,
}

/// Why the tiers cannot be opened.
#[derive(Debug)]
pub enum StorageError {
    /// The disk.
    Disk(DiskError),
    /// A file that is named for Redis.
    File {
        /// Its path.
        path: String,
        /// Why it does not read.
        cause: std::io::Error,
    },
}

impl Storage {
    /// Memory alone.
    pub fn of_memory(config: &Config, clock: Clock) -> Self {
        let options = options(config);
        let node_name = node_name(config);
        let log = Arc::new(MemoryLog::new(node_name.clone(), bounds(config), clock.clone()));
        let budget = options.budget();
        let compressor = Compressor::default();
        Storage {
            budget,
            options,
            clock,
            node_name,
            disk: None,
            shared: None,
            log,
            compressor,
            is_given_away: AtomicBool::new(false),
        }
    }

    /// All that the configuration names. Reads what the disk has, on this thread; Redis is connected
    /// behind. To be called within a runtime.
    pub fn open(config: &Config, clock: Clock) -> Result<Self, StorageError> {
        let mut storage = Storage::of_memory(config, clock);
        if let Some(settings) = &config.disk {
            storage.disk = Some(storage.open_disk(settings)?);
        }
        if let Some(settings) = &config.redis {
            storage.shared = Some(storage.open_redis(settings)?);
        }
        storage.open_log(config)?;
        Ok(storage)
    }

    // Where all nodes see it, else beside the disk tier, else in memory.
    fn open_log(&mut self, config: &Config) -> Result<(), StorageError> {
        if let (Some(shared), Some(settings)) = (&self.shared, &config.redis) {
            let mut options = log_options(config, settings);
            let mut rules = Rules::new(bounds(config));
            if let Some(disk) = &config.disk {
                let opened = Journal::open(file_options(config, disk));
                let (journal, known) = opened.map_err(StorageError::Disk)?;
                (options.journal, rules) = (Some(journal), known);
            }
            let (link, clock) = (Arc::clone(&shared.link), self.clock.clone());
            self.log = Arc::new(RedisLog::open(link, rules, clock, options));
        } else if let Some(disk) = &config.disk {
            let log =
                FileLog::open(file_options(config, disk), node_name(config), self.clock.clone());
            self.log = Arc::new(log.map_err(StorageError::Disk)?);
        }
        Ok(())
    }

    /// The clock that all of it goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The cache over it.
    pub fn cache(&self) -> Cache {
        let mut tiers: Vec<Arc<dyn Tier<Kept>>> = Vec::new();
        tiers.extend(self.disk.clone().map(|disk| disk as Arc<dyn Tier<Kept>>));
        tiers.extend(self.shared.as_ref().map(|it| Arc::clone(&it.tier) as Arc<dyn Tier<Kept>>));
        let leases = self.shared.as_ref().map(|it| Arc::clone(&it.leases) as Arc<dyn Leases>);
        Cache::with_tiers(
            &self.options,
            self.clock.clone(),
            &self.budget,
            tiers,
            leases,
            self.log.purges().clone(),
        )
    }

    /// How people tell this node from others.
    pub fn node_name(&self) -> &str {
        &self.node_name
    }

    /// Waits until Redis can be asked, for as long as connecting may take; says why where it cannot.
    /// A node that begins before that asks origins for what others have.
    pub async fn connected(&self) -> Result<(), String> {
        let Some(Shared { link, .. }) = &self.shared else { return Ok(()) };
        let limit = link.options().connect_timeout;
        let ready = async {
            link.connected().await;
            while self.log.purges().trust(Instant::now()) == Trust::Doubt {
                tokio::time::sleep(LOG_PAUSE).await;
            }
        };
        if tokio::time::timeout(limit, ready).await.is_ok() {
            return Ok(());
        }
        let why = link.snapshot().last_failure.or_else(|| self.log.snapshot().last_failure);
        Err(why.unwrap_or_else(|| format!("it did not answer within {limit:?}")))
    }

    /// Writes to the disk what waits, and takes no more. Waits for the disk.
    pub fn close(&self) {
        if let Some(disk) = &self.disk {
            disk.close();
        }
    }

    /// Writes out and lets go of all that one process alone can hold, for one that takes over. Until
    /// it is taken back, memory and origins answer, and no purge is taken that would be written
    /// there. Waits for the disk.
    pub fn let_go(&self) {
        self.log.let_go();
        self.disk.iter().for_each(|disk| disk.let_go());
    }

    /// Opens again what was let go: nobody takes over after all. Waits for the disk.
    pub fn take_back(&self) -> Result<(), DiskError> {
        if self.is_given_away.swap(false, Ordering::AcqRel) && self.shared.is_none() {
            self.log.purges().be_sure();
        }
        self.log.take_back()?;
        self.disk.as_ref().map_or(Ok(()), |disk| disk.take_back())
    }

    /// Another process answers from here on, and takes the purges. This one does not hear of them,
    /// unless all nodes see them, and is in doubt.
    pub fn give_away(&self) {
        self.is_given_away.store(true, Ordering::Release);
        if self.shared.is_none() {
            self.log.purges().fall_in_doubt();
        }
    }

    /// Whether another process has taken over.
    pub fn is_given_away(&self) -> bool {
        self.is_given_away.load(Ordering::Acquire)
    }

    /// Whether a purge would reach this process alone, which is at its end.
    pub fn is_without_purges(&self) -> bool {
        self.shared.is_none() && self.is_given_away()
    }

    fn open_disk(&self, settings: &DiskSettings) -> Result<Arc<LentDisk>, StorageError> {
        let options = DiskOptions {
            body_bytes_max: settings.body_bytes_max,
            sync_interval: settings.sync_interval,
            write_queue_bytes: settings.write_queue_bytes,
            budget: self.budget.clone(),
            ..DiskOptions::new(&settings.path, settings.size_bytes)
        };
        let opened = LentDisk::open(options, self.clock.clone());
        opened.map(Arc::new).map_err(StorageError::Disk)
    }

    fn open_redis(&self, settings: &RedisSettings) -> Result<Shared, StorageError> {
        let link = Link::open(link_options(settings)?);
        let options = RedisOptions {
            prefix: settings.prefix.clone(),
            family: kept::family,
            secret: settings.secret.as_ref().map(|secret| secret.expose().into()),
            value_bytes_max: settings.value_bytes_max,
            one_value_bytes_max: settings.chunk_bytes,
            chunk_bytes: settings.chunk_bytes,
            compress_from: settings.compress_from.unwrap_or(usize::MAX),
            admission: match settings.admission {
                Admission::All => redis::Admission::All,
                Admission::SecondUse => redis::Admission::SecondUse(SECOND_USE_WITHIN),
            },
            ..RedisOptions::default()
        };
        let (clock, codec) = (self.clock.clone(), Arc::new(KeptCodec));
        let tier = RedisTier::new(link.clone(), codec, clock, self.budget.clone(), options);
        let names = Names::new(&settings.prefix, kept::family);
        let lease = LeaseOptions { ttl: settings.lease, ..LeaseOptions::new(names) };
        let leases = RedisLeases::new(Arc::clone(&link), lease);
        Ok(Shared { link, tier: Arc::new(tier), leases })
    }
}

/// The bounds of the rules that purges make.
fn bounds(config: &Config) -> Bounds {
    Bounds { rules_max: config.purge.rules_max, ..Bounds::default() }
}

fn file_options(config: &Config, disk: &DiskSettings) -> FileOptions {
    let mut options = FileOptions::new(disk.path.join(LOG_DIRECTORY));
    options.file.entries_max = config.purge.log_max;
    options.rules = bounds(config);
    options
}

fn log_options(config: &Config, settings: &RedisSettings) -> RedisLogOptions {
    let names = Names::new(&settings.prefix, kept::family);
    let address = config.admin.filter(|at| !at.ip().is_loopback() && !at.ip().is_unspecified());
    let name =
        NodeName { name: node_name(config), address: address.map(|address| address.to_string()) };
    RedisLogOptions {
        bound: config.purge.doubt_after,
        in_doubt: match config.purge.in_doubt {
            InDoubt::Validate | InDoubt::Strict => redis::InDoubt::Validates,
            InDoubt::Serve => redis::InDoubt::Serves,
        },
        secret: settings.secret.as_ref().map(|secret| secret.expose().into()),
        entries_max: config.purge.log_max as u64,
        replicas: config.purge.replicas,
        // Twice within the bound at least, so that one that is late puts nobody in doubt.
        beat_every: (config.purge.doubt_after / 4).min(BEAT_EVERY_MAX),
        ..RedisLogOptions::new(names, name)
    }
}

/// How people tell this node from others: its name, its machine's, and where it listens.
fn node_name(config: &Config) -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    let mut listen = config.listen.iter().chain(&config.tls.listen);
    let port = listen.find_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.port()).filter(|port| *port != 0),
        Listen::Unix(_) => None,
    });
    match port {
        Some(port) => format!("{}@{machine}:{port}", config.name),
        None => format!("{}@{machine}:{}", config.name, std::process::id()),
    }
}

/// The connection on which routes are read, if the configuration wants any. Connected behind; to be
/// called within a runtime.
pub fn open_routes(config: &Config) -> Result<Option<Arc<dyn Source>>, StorageError> {
    let Some(redis) = config.routes_redis() else { return Ok(None) };
    let options = TrackedOptions {
        text_bytes_max: VALUE_BYTES_MAX,
        // A name, then members.
        list_items_max: config::MEMBERS_MAX + 1,
        list_bytes_max: VALUE_BYTES_MAX,
        ..TrackedOptions::new(link_options(redis)?)
    };
    Ok(Some(Tracked::open(options)))
}

/// The link over which routes are written and nodes are asked about them, if the configuration wants
/// any: the tier's, where routes are in the same Redis. To be called within a runtime.
pub fn open_routes_link(
    config: &Config,
    storage: &Storage,
) -> Result<Option<Arc<Link>>, StorageError> {
    let Some(settings) = &config.dynamic else { return Ok(None) };
    match (&settings.redis, &storage.shared) {
        (Some(own), _) => Ok(Some(Link::open(link_options(own)?))),
        (None, shared) => Ok(shared.as_ref().map(|shared| Arc::clone(&shared.link))),
    }
}

fn link_options(settings: &RedisSettings) -> Result<LinkOptions, StorageError> {
    let server = match &settings.servers {
        RedisServers::One(at) => Server::Single(address(at)),
        RedisServers::Sentinel { sentinels, service } => Server::Sentinel {
            sentinels: sentinels.iter().map(address).collect(),
            service: service.clone(),
            username: None,
            password: None,
        },
        RedisServers::Cluster(nodes) => Server::Cluster(nodes.iter().map(address).collect()),
    };
    let roots_pem = match &settings.ca_file {
        Some(path) => Some(
            std::fs::read(path)
                .map_err(|cause| StorageError::File { path: path.display().to_string(), cause })?,
        ),
        None => None,
    };
    Ok(LinkOptions {
        username: settings.username.clone(),
        password: settings.password.as_ref().map(|password| password.expose().to_owned()),
        tls: (settings.tls == Switch::On).then_some(Tls { roots_pem }),
        // The check has bounded it.
        database: u16::try_from(settings.database).unwrap_or(0),
        call_timeout: settings.timeout,
        connect_timeout: settings.connect_timeout,
        ..LinkOptions::new(server)
    })
}

fn address(at: &config::Address) -> redis::Address {
    match at {
        config::Address::Tcp { host, port } => redis::Address::Tcp(host.clone(), *port),
        config::Address::Unix(path) => redis::Address::Unix(path.clone()),
    }
}

fn options(config: &Config) -> Options {
    let memory_bytes_max = usize::try_from(config.memory_bytes).unwrap_or(usize::MAX);
    let arriving = memory_bytes_max / 4;
    let arriving_bytes_max = arriving.clamp(ARRIVING_BYTES_LEAST, ARRIVING_BYTES_MOST);
    let entry_bytes_max = Some(entry_bytes(config));
    Options { memory_bytes_max, arriving_bytes_max, entry_bytes_max, ..Options::default() }
}

/// The heaviest entry that memory must admit for every route to keep what it may: its longest body,
/// and some room for its head and for what pages cost. With a disk, longer ones lie there alone.
fn entry_bytes(config: &Config) -> usize {
    let in_redis = config.dynamic.iter().map(|dynamic| &dynamic.defaults);
    let routes = config.routes.iter().chain(in_redis);
    let longest = routes.map(|route| route.stored_body_bytes_max).max().unwrap_or(0);
    let longest = match config.disk {
        Some(_) => longest.min(defaults::stored_body_bytes_max(config.memory_bytes)),
        None => longest,
    };
    let room = longest / 32 + config.limits.head_bytes_max as u64;
    usize::try_from(longest.saturating_add(room)).unwrap_or(usize::MAX)
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageError::Disk(cause) => write!(f, "{cause}"),
            StorageError::File { path, cause } => {
                write!(f, "cannot read the certificates in `{path}`: {cause}")
            }
        }
    }
}

impl std::error::Error for StorageError {}
