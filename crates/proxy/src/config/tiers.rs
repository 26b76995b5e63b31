//! The tiers below memory as the program uses them: the disk's and Redis's settings, checked once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Switch;

/// The disk tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// The directory that is this gateway's alone.
    pub path: PathBuf,
    /// Bytes that its files may take.
    pub size_bytes: u64,
    /// Bytes of a body that is put there; a quarter of the size at most.
    pub body_bytes_max: u64,
    /// How often what was written is made safe: what a crash of the machine may lose.
    pub sync_interval: Duration,
    /// Bytes that may wait to be written; what comes beyond them is dropped and counted.
    pub write_queue_bytes: usize,
}

/// A directory and how much it may hold, as `--disk` says them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// The directory.
    pub path: PathBuf,
    /// Bytes that its files may take.
    pub size_bytes: u64,
}

/// The Redis tier, and all else that Redis is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSettings {
    /// Which servers, and how they belong together.
    pub servers: RedisServers,
    /// The user; `None` is the server's default user.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Whether they are spoken to over TLS.
    pub tls: Switch,
    /// Certificate authorities beside the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The database's number; 0 in a cluster.
    pub database: i64,
    /// What the names of all keys begin with. It has no `{` and no `}`, which are a cluster's hash
    /// tags.
    pub prefix: String,
    /// How long one call on a request's path may take.
    pub timeout: Duration,
    /// How long connecting may take, name, TLS and authentication included.
    pub connect_timeout: Duration,
    /// Bytes of a body that is put there.
    pub value_bytes_max: u64,
    /// Bytes of one part of a longer value.
    pub chunk_bytes: usize,
    /// Bytes from which on a value is compressed; `None` is never.
    pub compress_from: Option<usize>,
    /// Which responses are put there.
    pub admission: Admission,
    /// What authenticates stored values; `None` trusts whoever can write to Redis.
    pub secret: Option<Secret>,
    /// How long another node waits until it takes over from one that died while it fetched.
    pub lease: Duration,
}

/// Which servers, and how they belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServers {
    /// One server.
    One(Address),
    /// The primary that these sentinels name.
    Sentinel {
        /// Any of them can be asked; at least one.
        sentinels: Vec<Address>,
        /// The name under which they watch the primary.
        service: String,
    },
    /// Some nodes of a Redis Cluster, which name the others; at least one.
    Cluster(Vec<Address>),
}

/// Where a Redis server or a sentinel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp {
        /// Its name or address, without brackets.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A Unix socket's path.
    Unix(PathBuf),
}

/// Which responses are put into Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Each that may be kept.
    All,
    /// Those that were asked for a second time.
    SecondUse,
}

/// A text that no message, banner or log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// This text, from here on hidden.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for whoever must say it to the server.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}
