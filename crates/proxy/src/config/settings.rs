//! The configuration as the program uses it: checked once, a type from there on.
//!
//! Nothing here is text any more. `raw` has the file's shape, `check` turns one into the other,
//! `defaults` has what is true where nothing is said.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use super::balancing::{Balance, Ejection};
use super::compress::CompressSettings;
use super::dynamic::DynamicSettings;
use super::health::HealthSettings;
use super::purge::PurgeSettings;
use super::tiers::{DiskSettings, RedisSettings};
use super::tls::{ProxyProtocolSettings, TlsSettings};
use super::traces::TraceSettings;

/// Everything that one gateway is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients are accepted in the clear; at least one, unless they are by TLS.
    pub listen: Vec<Listen>,
    /// TLS toward clients.
    pub tls: TlsSettings,
    /// Peers that say for whom they speak.
    pub proxy_protocol: ProxyProtocolSettings,
    /// Where operators are answered; `None` switches the admin listener off.
    pub admin: Option<SocketAddr>,
    /// The token that the admin listener's changing calls ask for.
    pub admin_token: Option<String>,
    /// Worker threads; `None` is one a core.
    pub workers: Option<usize>,
    /// How this gateway calls itself in `Via`, `Cache-Status` and `CDN-Loop`.
    pub name: String,
    /// The memory tier's bound, in bytes, overhead counted.
    pub memory_bytes: u64,
    /// The disk tier, or none.
    pub disk: Option<DiskSettings>,
    /// The Redis tier, or none.
    pub redis: Option<RedisSettings>,
    /// What the gateway bounds toward clients.
    pub limits: Limits,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed.
    pub trusted_peers: Vec<Network>,
    /// The access log, or none.
    pub access_log: AccessLog,
    /// The file that it is written into; `None` is standard output.
    pub access_log_file: Option<PathBuf>,
    /// Which part of the exchanges has a line, 0 to 1; those that went wrong always have one.
    pub access_log_sample: f64,
    /// When the configuration file is read again.
    pub reload: Reload,
    /// How purges are kept and heard.
    pub purge: PurgeSettings,
    /// What may be connected to beyond and below what may be by itself.
    pub destinations: DestinationSettings,
    /// Where spans are sent, or nowhere.
    pub traces: Option<TraceSettings>,
    /// Routes in the order in which they are written.
    pub routes: Vec<Route>,
    /// Routes that are read in Redis, or none.
    pub dynamic: Option<DynamicSettings>,
}

/// Which addresses may be connected to; what neither list says is judged by
/// [`Destinations`](crate::upstream::Destinations).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationSettings {
    /// Allowed, although they would be refused.
    pub allow: Vec<DestinationRange>,
    /// Refused, although they would be allowed.
    pub deny: Vec<DestinationRange>,
}

/// Addresses, and one of their ports or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationRange {
    /// The addresses.
    pub network: Network,
    /// The port; `None` is all.
    pub port: Option<u16>,
}

/// A place to accept clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address, v4 or v6.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl Listen {
    /// Whether both cannot be bound at once. Port 0 is another one each time.
    pub fn overlaps(&self, other: &Listen) -> bool {
        match (self, other) {
            (Listen::Tcp(one), Listen::Tcp(other)) => {
                let is_same_family = one.is_ipv4() == other.is_ipv4();
                let is_either_all = one.ip().is_unspecified() || other.ip().is_unspecified();
                let is_same_ip = one.ip() == other.ip() || (is_same_family && is_either_all);
                is_same_ip && one.port() == other.port() && one.port() != 0
            }
            (Listen::Unix(one), Listen::Unix(other)) => one == other,
            (Listen::Tcp(_), Listen::Unix(_)) | (Listen::Unix(_), Listen::Tcp(_)) => false,
        }
    }
}

/// Where operators are answered, as they say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

/// A range of addresses in CIDR form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix_bits: u8,
}

/// The form of the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// None.
    Off,
    /// One readable line an exchange on standard output.
    Text,
    /// One JSON object an exchange on standard output.
    Json,
}

/// When the configuration file is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// When somebody asks for it: SIGHUP, `forebay reload`.
    Asked,
    /// Also when the file has changed.
    Watch,
}

/// Bounds toward clients.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; beyond it the newest wait in the system's backlog.
    pub connections_max: usize,
    /// Connections at once of one client, by its address; beyond it the newest are closed. `None` is
    /// no bound but the one above.
    pub connections_per_address_max: Option<usize>,
    /// Peers whose connections are not counted by address: those of `trusted_peers`, who pass others'
    /// requests on.
    pub uncounted_peers: Vec<Network>,
    /// Exchanges at once; beyond it 503.
    pub requests_max: usize,
    /// Bytes of a request head.
    pub head_bytes_max: usize,
    /// Bytes of a request line or target.
    pub target_bytes_max: usize,
    /// Fields in a request head.
    pub fields_max: usize,
    /// Bytes of a request body that is passed on.
    pub body_bytes_max: u64,
    /// How long a whole request head may take from its first byte.
    pub head_timeout: Duration,
    /// How long a request body may say nothing.
    pub body_timeout: Duration,
    /// How long a connection may idle between requests.
    pub idle_timeout: Duration,
    /// How long a client may take none of an answer that waits for it.
    pub send_timeout: Duration,
    /// HTTP/2 streams at once on one connection.
    pub streams_max: u32,
    /// HTTP/2 streams that a peer may have reset before they were accepted, and after.
    pub resets_max: usize,
    /// How long a drain waits for exchanges under way.
    pub drain_timeout: Duration,
}

/// What is done with requests for a host and a path.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in logs and metrics.
    pub name: String,
    /// Which hosts.
    pub host: HostPattern,
    /// Which paths: a prefix, beginning with `/`.
    pub path_prefix: String,
    /// Where they lead.
    pub upstream: UpstreamSettings,
    /// What the cache key is made of.
    pub key: forebay_semantics::key::Template,
    /// What the rules of HTTP are told by the operator.
    pub policy: forebay_semantics::Policy,
    /// Bytes of a response that is kept; a longer one is passed through.
    pub stored_body_bytes_max: u64,
    /// Bytes of a request body that is digested into the key (for listed methods).
    pub keyed_body_bytes_max: u64,
    /// How long a follower waits for a leader's head before it goes itself.
    pub collapse_wait: Duration,
    /// Whether requests for one key share a fetch at all.
    pub collapse: Switch,
    /// How long a key that turned out not to be shareable is not collapsed.
    pub hit_for_miss: Duration,
    /// How long after a failed refresh the next one may start (P1.5).
    pub retry_pause: Duration,
    /// Early refresh before expiry: the factor beta of Vattani and others; 0 switches it off.
    pub early_refresh: f64,
    /// Variants kept under one key.
    pub variants_max: usize,
    /// Ranges answered in one response.
    pub ranges_max: usize,
    /// Which stored responses are sent compressed, and how.
    pub compress: CompressSettings,
    /// Changes to the request's fields before it goes to the origin.
    pub request_fields: FieldChanges,
    /// Changes to the response's fields before it goes to the client.
    pub response_fields: FieldChanges,
    /// The request field that skips the lookup and stores anew, with its secret (P1.9).
    pub skip: Option<Skip>,
    /// Whether `X-Cache` and `X-Store` are said beside `Cache-Status` (P1.11).
    pub x_cache: Switch,
    /// Whether the client's Host goes to the origin (P4.4), or the member's own name.
    pub host_field: HostField,
}

/// Which hosts a route is for. Compared in lower case, without port and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This one.
    Exact(String),
    /// Every name below this one (`*.example.com` holds `example.com`).
    Below(String),
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Whose name the origin sees in `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostField {
    /// The one that the client asked for.
    Client,
    /// The member's own.
    Member,
}

/// Fields taken away, then set.
#[derive(Clone, Debug, Default)]
pub struct FieldChanges {
    /// Taken away first.
    pub remove: Vec<HeaderName>,
    /// Set after that, in place of whatever was there.
    pub set: Vec<(HeaderName, HeaderValue)>,
}

impl FieldChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }
}

/// Who may skip the lookup, and how he says so.
#[derive(Clone, Debug)]
pub struct Skip {
    /// The request field.
    pub field: HeaderName,
    /// What it must say; `None` only with a list of peers.
    pub secret: Option<String>,
    /// Peers that may; empty with a secret means any.
    pub peers: Vec<Network>,
}

/// An upstream: members and how to talk to them.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    /// Its members; at least one.
    pub members: Vec<MemberSettings>,
    /// How long connecting may take, names and TLS included (P4.5: 10 s).
    pub connect_timeout: Duration,
    /// How long sending may make no progress (P4.5: 30 s).
    pub send_timeout: Duration,
    /// How long the response head may take, and each pause in its body (P4.5: 30 s).
    pub read_timeout: Duration,
    /// Idle connections kept to a member.
    pub idle_connections_max: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Connections at once to a member; beyond it requests wait within `connect_timeout`.
    pub connections_max: usize,
    /// Bytes of a response head.
    pub head_bytes_max: usize,
    /// Certificate authorities beside the system's, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// How often a name is resolved again.
    pub resolve_interval: Duration,
    /// How a member is chosen.
    pub balance: Balance,
    /// When a member that fails is left out.
    pub ejection: Ejection,
    /// How long a member that came back gets less than its share, from a tenth up.
    pub slow_start: Duration,
    /// The name that members prove to be by TLS; each one's own host where it is `None`.
    pub server_name: Option<String>,
    /// How members are asked whether they are well, or not at all.
    pub health: Option<HealthSettings>,
    /// Members that one request is tried on beyond its first.
    pub retries: usize,
    /// Statuses with which a member's answer is dropped and another asked.
    pub retry_statuses: Vec<StatusCode>,
    /// Requests at once to a member, or no bound but that on connections.
    pub requests_max: Option<usize>,
    /// Requests that wait for a member that has `requests_max`.
    pub queue_max: usize,
    /// How long one of them waits.
    pub queue_timeout: Duration,
}

/// One origin server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// How it is spoken to.
    pub scheme: MemberScheme,
    /// Its name or address, without brackets; for `Unix`, a path.
    pub host: String,
    /// Its port; 0 for `Unix`.
    pub port: u16,
    /// Its share of the requests, beside those of the others.
    pub weight: u32,
}

/// How a member is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberScheme {
    /// HTTP/1.1 in the clear.
    Http,
    /// HTTP/2 with prior knowledge in the clear.
    H2c,
    /// TLS; HTTP/2 or HTTP/1.1 by ALPN.
    Https,
    /// HTTP/1.1 over a Unix socket.
    Unix,
}
