//! What the operator says about the server and the way to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::names::Family;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Which server, or servers, hold what is shared.
#[derive(Clone, PartialEq, Eq)]
pub enum Server {
    /// One.
    Single(Address),
    /// The master of a service, as Sentinel tells.
    Sentinel {
        /// The sentinels; the first that answers is believed.
        sentinels: Vec<Address>,
        /// The name of the service.
        service: String,
        /// The name to log in to the sentinels with.
        username: Option<String>,
        /// The password for it.
        password: Option<String>,
    },
    /// A Redis Cluster, found through any of these.
    Cluster(Vec<Address>),
}

// Without the passwords.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(address) => f.debug_tuple("Single").field(address).finish(),
            Self::Sentinel { sentinels, service, .. } => {
                f.debug_tuple("Sentinel").field(service).field(sentinels).finish()
            }
            Self::Cluster(addresses) => f.debug_tuple("Cluster").field(addresses).finish(),
        }
    }
}

/// How a connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that are trusted, as PEM; without them, those of the system.
    pub roots_pem: Option<Vec<u8>>,
}

/// The link to a server, and its bounds.
#[derive(Clone)]
pub struct LinkOptions {
    /// Which server.
    pub server: Server,
    /// The name to log in with.
    pub username: Option<String>,
    /// The password to log in with.
    pub password: Option<String>,
    /// Encrypted, and how.
    pub tls: Option<Tls>,
    /// The number of the database; 0 in a cluster.
    pub database: u16,
    /// How long one call may take, everything in it.
    pub call_timeout: Duration,
    /// How long connecting may take, behind: names, TLS, login and a first answer.
    pub connect_timeout: Duration,
    /// The pause after a first failure to connect. It doubles with each further one.
    pub retry_pause_min: Duration,
    /// The longest pause between two tries to connect.
    pub retry_pause_max: Duration,
    /// How often the server is asked for a sign of life, and Sentinel for the master.
    pub ping_every: Duration,
    /// Calls in a row without an answer in time after which the breaker opens.
    pub failures_max: u32,
    /// Calls at once; further ones fail.
    pub calls_max: usize,
}

impl LinkOptions {
    /// The defaults, for this server.
    pub fn new(server: Server) -> Self {
        Self {
            server,
            username: None,
            password: None,
            tls: None,
            database: 0,
            call_timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            retry_pause_min: Duration::from_millis(50),
            retry_pause_max: Duration::from_secs(2),
            ping_every: Duration::from_secs(1),
            failures_max: 5,
            calls_max: 4_096,
        }
    }
}

// Without the passwords.
impl fmt::Debug for LinkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkOptions").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Which entries the tier takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Every one.
    All,
    /// One whose key was offered before, within such a time, by any node.
    SecondUse(Duration),
}

/// The tier in Redis, and its bounds.
#[derive(Clone)]
pub struct RedisOptions {
    /// What all names in Redis begin with.
    pub prefix: String,
    /// What a key belongs to: all that belongs together lies in one slot of a cluster.
    pub family: Family,
    /// A secret of all nodes. With it, what was written without it does not read.
    pub secret: Option<Vec<u8>>,
    /// The longest body that is taken.
    pub value_bytes_max: u64,
    /// The longest body that lies in one value; a longer one lies in chunks.
    pub one_value_bytes_max: usize,
    /// The bytes of a body in one chunk; 4 MiB at most, and no smaller than makes a body of
    /// `value_bytes_max` 4096 chunks.
    pub chunk_bytes: usize,
    /// The shortest body that is compressed, where its head says that it gets smaller.
    pub compress_from: usize,
    /// Which entries are taken.
    pub admission: Admission,
    /// How long one call may take that moves a chunk, or stores an entry behind the answer.
    pub transfer_timeout: Duration,
    /// Entries that are being stored at once; further ones wait for `transfer_timeout`.
    pub puts_max: usize,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "forebay:".to_owned(),
            family: |key| key,
            secret: None,
            value_bytes_max: 8 << 20,
            one_value_bytes_max: 256 << 10,
            chunk_bytes: 256 << 10,
            compress_from: 4 << 10,
            admission: Admission::All,
            transfer_timeout: Duration::from_secs(1),
            puts_max: 256,
        }
    }
}

// Without the secret.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RedisOptions");
        shown.field("prefix", &self.prefix).field("value_bytes_max", &self.value_bytes_max);
        shown.field("admission", &self.admission).finish_non_exhaustive()
    }
}
