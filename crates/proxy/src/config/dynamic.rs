//! The table `routes`: which routes are read in Redis, and how they are kept.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::flags::RunArgs;
use super::problem::Problem;
use super::raw::{Placed, Section, Value, count, said, span, word};
use super::text::{self, RedisUrl, Refusal, refuse};
use super::words::SWITCH;
use super::{Config, DiskSettings, RedisSettings, Route, Secret, Switch, redis};

/// How long a request may wait for Redis; behind the longest, every client has gone.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);

/// A shorter interval asks Redis without end; behind a longer one nobody knows what is true.
const RECONCILE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// How long a host may be known as absent.
const ABSENT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// Bytes of what all keys begin with.
const PREFIX_BYTES_MAX: usize = 64;

/// The table's name in the directory of the disk tier.
const TABLE_NAME: &str = "forebay.routes";

/// Routes that live in Redis.
#[derive(Clone, Debug)]
pub struct DynamicSettings {
    /// Where they are read; `None` is where the Redis tier is.
    pub redis: Option<RedisSettings>,
    /// What their keys begin with; then comes the host.
    pub prefix: String,
    /// How long a request for a host that is not known may wait for Redis.
    pub timeout: Duration,
    /// How often everything that is known is read again.
    pub reconcile: Duration,
    /// How long after it was last asked for a host is known as absent.
    pub absent: Duration,
    /// Keys that are known at once.
    pub known_max: usize,
    /// How often in a second this node asks for hosts that it does not know.
    pub lookups_per_second: usize,
    /// The file that the table is kept in, so that it outlives a restart.
    pub table: Option<PathBuf>,
    /// Whether lists are read as hipache wrote them.
    pub hipache: Switch,
    /// What a route begins with: the file's defaults.
    pub defaults: Route,
}

impl DynamicSettings {
    /// The defaults, for routes that begin with these.
    pub fn of(redis: Option<RedisSettings>, defaults: Route) -> Self {
        DynamicSettings {
            redis,
            prefix: String::new(),
            timeout: Duration::from_millis(50),
            reconcile: Duration::from_secs(5),
            absent: Duration::from_secs(10),
            known_max: 200_000,
            lookups_per_second: 200,
            table: None,
            hipache: Switch::Off,
            defaults,
        }
    }
}

impl Config {
    /// Where routes are read, if any are.
    pub fn routes_redis(&self) -> Option<&RedisSettings> {
        self.dynamic.as_ref()?.redis.as_ref().or(self.redis.as_ref())
    }
}

/// What is said elsewhere, and counts here.
pub(super) struct Beside<'a> {
    pub(super) redis: Option<&'a RedisSettings>,
    pub(super) disk: Option<&'a DiskSettings>,
    pub(super) defaults: &'a Route,
}

/// What file and flags say of routes in Redis.
#[derive(Default)]
pub(super) struct Said {
    /// The settings, without the password that stands in a file of its own.
    pub(super) settings: Option<DynamicSettings>,
    /// That file.
    pub(super) password_file: Option<Placed<PathBuf>>,
}

/// Reads the table `routes`; without a Redis, here or in the table `redis`, there are none.
pub(super) fn read(root: &mut Section<'_>, args: &RunArgs, beside: &Beside<'_>) -> Said {
    let flag = args.routes.as_ref().and_then(|url| from_flag(root, url));
    let table = root.section("routes");
    if table.is_none() && args.routes.is_none() {
        return Said::default();
    }
    let own = flag.map(RedisSettings::of);
    let mut settings = DynamicSettings::of(own, beside.defaults.clone());
    settings.table = beside.disk.map(|disk| disk.path.join(TABLE_NAME));
    let password_file = table.and_then(|table| read_table(table, &mut settings));
    let is_somewhere = settings.redis.is_some() || beside.redis.is_some();
    Said { settings: is_somewhere.then_some(settings), password_file }
}

fn from_flag(root: &Section<'_>, url: &Secret) -> Option<RedisUrl> {
    match text::redis(url.expose()) {
        Ok(url) => Some(url),
        Err(Refusal { why, allowed }) => {
            let message = format!("`--routes` cannot be `…`: {why}");
            root.findings().add(Problem { message, help: allowed, place: None });
            None
        }
    }
}

fn read_table(mut table: Section<'_>, settings: &mut DynamicSettings) -> Option<Placed<PathBuf>> {
    let in_file = table.read("redis", said(text::redis));
    if let (None, Some(url)) = (&settings.redis, in_file) {
        settings.redis = Some(RedisSettings::of(url.value));
    }
    let password_file = redis::of_routes(&mut table, settings.redis.as_mut());
    table.set("prefix", said(prefix), &mut settings.prefix);
    table.set("timeout", span(TIMEOUT), &mut settings.timeout);
    table.set("reconcile", span(RECONCILE), &mut settings.reconcile);
    table.set("absent", span(ABSENT), &mut settings.absent);
    table.set("known_max", count(1..=10_000_000), &mut settings.known_max);
    table.set("lookups_per_second", count(1..=1_000_000), &mut settings.lookups_per_second);
    table.set("table", file, &mut settings.table);
    table.set("hipache", word(SWITCH), &mut settings.hipache);
    table.finish();
    password_file
}

/// Braces are a cluster's hash tags: of all keys the same, they would lie on one node.
fn prefix(text: &str) -> Result<String, Refusal> {
    let is_fine = |byte: u8| byte.is_ascii_graphic() && !b"{}".contains(&byte);
    if text.len() > PREFIX_BYTES_MAX || !text.bytes().all(is_fine) {
        let form = format!("0 to {PREFIX_BYTES_MAX} visible characters of ASCII without {{ and }}");
        return refuse("no keys begin so", form);
    }
    Ok(text.to_owned())
}

fn file(value: Value<'_>) -> Result<Option<PathBuf>, Refusal> {
    match value.text()? {
        "off" => Ok(None),
        text => text::directory_path(text).map(Some),
    }
}
