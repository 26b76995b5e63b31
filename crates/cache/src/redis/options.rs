//! What the operator says about the server and the way to it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

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
