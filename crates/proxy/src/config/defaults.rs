//! Each default, once.

use std::net::SocketAddr;
use std::time::Duration;

use forebay_semantics::Policy;
use forebay_semantics::key::Template;

use super::balancing::{Balance, Ejection};
use super::compress::CompressSettings;
use super::purge::PurgeSettings;
use super::settings::*;
use super::text::RedisUrl;
use super::tiers::*;
use super::tls::{ProxyProtocolSettings, TlsSettings};

/// Where clients are accepted.
pub const LISTEN: &str = "127.0.0.1:8080";

/// Where operators are answered.
pub const ADMIN: &str = "127.0.0.1:8081";

/// The gateway's name.
pub const NAME: &str = "forebay";

/// The memory tier's bound.
pub const MEMORY_BYTES: u64 = 256 << 20;

/// The least that the memory tier's bound may be: room for some large responses and the index.
pub const MEMORY_BYTES_MIN: u64 = 4 << 20;

/// The most that a stored body may have by default: a response of a film's size would push out
/// thousands of pages.
const STORED_BODY_BYTES_MAX: u64 = 32 << 20;

/// The longest stored body, given the memory tier's bound: an eighth of it, so that a single
/// response never pushes out most of the others.
pub fn stored_body_bytes_max(memory_bytes: u64) -> u64 {
    (memory_bytes / 8).min(STORED_BODY_BYTES_MAX)
}

/// How long a stored body may be, given the tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// Where a route says nothing.
    pub usual: u64,
    /// The most that a route can say.
    pub longest: u64,
}

impl StoredBody {
    /// With these tiers. A disk, however small, makes neither of them less.
    pub fn of(memory_bytes: u64, disk: Option<&DiskSettings>) -> Self {
        let on_disk = disk.map_or(0, |disk| disk.body_bytes_max);
        StoredBody {
            usual: stored_body_bytes_max(memory_bytes).max(on_disk),
            longest: memory_bytes.max(on_disk),
        }
    }
}

/// The most that a body on disk may have by default.
const DISK_BODY_BYTES_MAX: u64 = 1 << 30;

impl DiskSettings {
    /// The defaults for this directory.
    pub fn of(room: DiskRoom) -> Self {
        DiskSettings {
            path: room.path,
            size_bytes: room.size_bytes,
            body_bytes_max: (room.size_bytes / 8).min(DISK_BODY_BYTES_MAX),
            sync_interval: Duration::from_secs(1),
            write_queue_bytes: 64 << 20,
        }
    }
}

impl RedisSettings {
    /// The defaults for these servers.
    pub fn of(url: RedisUrl) -> Self {
        RedisSettings {
            servers: url.servers,
            username: url.username,
            password: url.password,
            tls: url.tls,
            ca_file: None,
            database: url.database,
            prefix: "forebay:".to_owned(),
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            value_bytes_max: 8 << 20,
            chunk_bytes: 256 << 10,
            compress_from: Some(4 << 10),
            admission: Admission::All,
            secret: None,
            lease: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// The defaults for these routes.
    pub fn of(routes: Vec<Route>) -> Self {
        let tcp = |text: &str| text.parse::<SocketAddr>().expect("a constant that a test parses");
        Config {
            listen: vec![Listen::Tcp(tcp(LISTEN))],
            tls: TlsSettings::default(),
            proxy_protocol: ProxyProtocolSettings::default(),
            admin: Some(tcp(ADMIN)),
            admin_token: None,
            workers: None,
            name: NAME.to_owned(),
            memory_bytes: MEMORY_BYTES,
            disk: None,
            redis: None,
            limits: Limits::default(),
            trusted_peers: Vec::new(),
            access_log: AccessLog::Off,
            access_log_file: None,
            access_log_sample: 1.0,
            reload: Reload::Asked,
            purge: PurgeSettings::default(),
            destinations: DestinationSettings::default(),
            traces: None,
            routes,
            dynamic: None,
        }
    }
}

impl Route {
    /// The defaults for every host and path to these members, under this memory bound.
    pub fn everything_to(members: Vec<MemberSettings>, memory_bytes: u64) -> Self {
        Route {
            name: "default".to_owned(),
            host: HostPattern::Any,
            path_prefix: "/".to_owned(),
            upstream: UpstreamSettings::to(members),
            key: Template::default(),
            policy: Policy::default(),
            stored_body_bytes_max: stored_body_bytes_max(memory_bytes),
            keyed_body_bytes_max: 64 << 10,
            // As nginx's proxy_cache_lock_timeout: longer than a usual answer takes, shorter than
            // a client's patience.
            collapse_wait: Duration::from_secs(5),
            collapse: Switch::On,
            hit_for_miss: Duration::from_secs(10),
            // P1.5 had 30 s, because a lock's expiry made it. Six tries a minute and key hammer no
            // origin, and one that is back is seen within 10 s.
            retry_pause: Duration::from_secs(10),
            early_refresh: 1.0,
            variants_max: 64,
            ranges_max: 16,
            compress: CompressSettings::default(),
            request_fields: FieldChanges::default(),
            response_fields: FieldChanges::default(),
            skip: None,
            x_cache: Switch::Off,
            host_field: HostField::Client,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 16_384,
            // Behind a balancer or one household's router many clients have one address.
            connections_per_address_max: None,
            uncounted_peers: Vec::new(),
            requests_max: 16_384,
            head_bytes_max: 64 * 1024,
            target_bytes_max: 16 * 1024,
            fields_max: 128,
            body_bytes_max: 1 << 30,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(30),
            streams_max: 128,
            resets_max: 32,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl UpstreamSettings {
    /// The defaults (P4.5) for these members.
    pub fn to(members: Vec<MemberSettings>) -> Self {
        UpstreamSettings {
            members,
            connect_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            idle_connections_max: 64,
            idle_timeout: Duration::from_secs(60),
            connections_max: 1024,
            head_bytes_max: 64 * 1024,
            ca_file: None,
            resolve_interval: Duration::from_secs(10),
            balance: Balance::default(),
            ejection: Ejection::default(),
            slow_start: Duration::from_secs(10),
            server_name: None,
            health: None,
            retries: 2,
            retry_statuses: Vec::new(),
            requests_max: None,
            queue_max: 1024,
            queue_timeout: Duration::from_secs(1),
        }
    }
}
