//! The table `redis`, and the flag that goes before its servers.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::flags::TierArgs;
use super::problem::Problem;
use super::raw::{Placed, Section, Value, length, said, size, span, word};
use super::text::{self, RedisUrl, Refusal, SERVERS_MAX, refuse};
use super::words::refuse_none;
use super::{Admission, RedisServers, RedisSettings, Secret, Switch};

/// A wait for Redis: behind the longest, every client has gone.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);

/// Shorter, and a pause of a node loses its leases; longer, and nobody follows one that died.
const LEASE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// The longest value that a Redis takes.
const VALUE: RangeInclusive<u64> = 0..=512 << 20;

/// A part that a server sends without others waiting long.
const CHUNK: RangeInclusive<u64> = 4 << 10..=16 << 20;

/// Lengths from which on compressing can begin.
const COMPRESS: RangeInclusive<u64> = 64..=512 << 20;

/// Bytes of what all keys begin with.
const PREFIX_BYTES_MAX: usize = 64;

const ADMISSION: &[(&str, Admission)] =
    &[("all", Admission::All), ("second-use", Admission::SecondUse)];

/// What is of no use when nothing says where Redis is.
const OF_A_SERVER: [&str; 4] = ["username", "password_file", "secret_file", "ca_file"];

/// What file and flags say of Redis.
#[derive(Default)]
pub(super) struct Said {
    /// The settings, without what stands in files of its own.
    pub(super) settings: Option<RedisSettings>,
    /// The file with the password.
    pub(super) password_file: Option<Placed<PathBuf>>,
    /// The file with the secret.
    pub(super) secret_file: Option<Placed<PathBuf>>,
}

/// Reads the table `redis`; without a server there is no Redis tier.
pub(super) fn read(root: &mut Section<'_>, args: &TierArgs) -> Said {
    let flags = flags(root, args);
    let Some(mut table) = root.section("redis") else {
        let settings = joined(root, flags).map(RedisSettings::of);
        settings.iter().for_each(|settings| refuse_nobody(root, "[redis]", settings, &None));
        return Said { settings, ..Said::default() };
    };
    let in_file = table.list("url", said(text::redis));
    refuse_none(&mut table, "url");
    let is_server_said = !args.redis.is_empty() || table.value("url").is_some();
    let urls = if args.redis.is_empty() { in_file.unwrap_or_default() } else { flags };
    let url = joined(&table, urls);
    let is_server_known = url.is_some();
    // Without a server the rest is read all the same, for what is wrong with it.
    let mut settings = RedisSettings::of(url.unwrap_or_else(nobody));
    let files = server(&mut table, &mut settings);
    values(&mut table, &mut settings);
    if !is_server_said {
        refuse_nowhere(&mut table);
    } else if is_server_known {
        refuse_nobody(&table, "[redis]", &settings, &files.password_file);
    }
    table.finish();
    Said { settings: Some(settings).filter(|_| is_server_known), ..files }
}

/// The servers of the flags, as the file's are read.
fn flags(root: &Section<'_>, args: &TierArgs) -> Vec<Placed<RedisUrl>> {
    let read = |url: &Secret| match text::redis(url.expose()) {
        Ok(url) => Some(Placed::nowhere(url)),
        Err(Refusal { why, allowed }) => {
            let message = format!("`--redis` cannot be `…`: {why}");
            root.findings().add(Problem { message, help: allowed, place: None });
            None
        }
    };
    args.redis.iter().take(SERVERS_MAX).filter_map(read).collect()
}

/// Several URLs as one, which name the servers of one cluster, or its sentinels.
fn joined(table: &Section<'_>, urls: Vec<Placed<RedisUrl>>) -> Option<RedisUrl> {
    let mut urls = urls.into_iter();
    let mut whole = urls.next()?.value;
    for Placed { value: other, place } in urls {
        if let Err(Refusal { why, allowed }) = join(&mut whole, other) {
            table.findings().add(Problem { message: why, help: allowed, place });
        }
    }
    Some(whole)
}

fn join(whole: &mut RedisUrl, other: RedisUrl) -> Result<(), Refusal> {
    let is_same_user = other.username.is_none() && other.password.is_none()
        || (&other.username, &other.password) == (&whole.username, &whole.password);
    if !is_same_user || other.database != whole.database {
        let why = "servers of Redis with different users or databases";
        return refuse(why, "say user and database once, with the first");
    }
    let (all, more) = match (&mut whole.servers, other.servers) {
        (RedisServers::Cluster(all), RedisServers::Cluster(more)) => (all, more),
        (
            RedisServers::Sentinel { sentinels: all, service },
            RedisServers::Sentinel { sentinels: more, service: other },
        ) if *service == other => (all, more),
        (RedisServers::One(_), _) | (_, RedisServers::One(_)) => return apart(),
        (RedisServers::Cluster(_), RedisServers::Sentinel { .. }) => return apart(),
        (RedisServers::Sentinel { .. }, _) => return apart(),
    };
    if whole.tls != other.tls {
        return apart();
    }
    if all.len() + more.len() > SERVERS_MAX {
        return refuse("too many servers of Redis", format!("at most {SERVERS_MAX}"));
    }
    all.extend(more);
    Ok(())
}

fn apart() -> Result<(), Refusal> {
    refuse(
        "several servers of Redis that do not belong together",
        "several are one cluster, each as redis+cluster://host:port, or the sentinels of one \
         service, each as redis+sentinel://host:port/service",
    )
}

/// A server that stands in for one that is missing or wrong.
fn nobody() -> RedisUrl {
    text::redis("redis://localhost").expect("a constant that a test reads")
}

/// The same for the servers that `routes` names for itself; the password's file.
pub(super) fn of_routes(
    table: &mut Section<'_>,
    settings: Option<&mut RedisSettings>,
) -> Option<Placed<PathBuf>> {
    let Some(settings) = settings else {
        for key in ["username", "password_file", "ca_file"] {
            if let Some(value) = table.value(key) {
                let message = format!("`{key}` does nothing: `[routes]` has no `redis` of its own");
                let problem = Problem::at(value.place(), message);
                table.findings().add(problem.with_help("write it into `[redis]`"));
            }
        }
        return None;
    };
    let password_file = trust(table, "redis", settings);
    refuse_nobody(table, "[routes]", settings, &password_file);
    password_file
}

/// Who the servers take us for, and whom we take them for.
fn server(table: &mut Section<'_>, settings: &mut RedisSettings) -> Said {
    let password_file = trust(table, "url", settings);
    let path = |text: &str| Ok(PathBuf::from(text));
    let secret_file = table.read("secret_file", said(path));
    Said { settings: None, password_file, secret_file }
}

/// User, password and authorities of the servers that this key names; the password's file.
fn trust<'a>(
    table: &mut Section<'a>,
    url: &'a str,
    settings: &mut RedisSettings,
) -> Option<Placed<PathBuf>> {
    if let Some(name) = table.read("username", said(text::username)) {
        if settings.username.is_some() {
            refuse_second(table, "username", &name, "username");
        }
        settings.username = Some(name.value);
    }
    let path = |text: &str| Ok(PathBuf::from(text));
    let password_file = table.read("password_file", said(path));
    if let Some(file) = password_file.as_ref().filter(|_| settings.password.is_some()) {
        refuse_second(table, "password_file", file, "password");
    }
    if let Some(file) = table.read("ca_file", said(path)) {
        if settings.tls == Switch::Off && table.value(url).is_some() {
            let message = "`ca_file` does nothing: the servers are not spoken to over TLS";
            let help = Some("write rediss:// for redis://".to_owned());
            let place = file.place.clone();
            table.findings().add(Problem { message: message.to_owned(), help, place });
        }
        settings.ca_file = Some(file.value);
    }
    password_file
}

fn refuse_second<T>(table: &Section<'_>, key: &str, said: &Placed<T>, in_url: &str) {
    let message = format!("`{key}` stands beside a {in_url} in the URL: one of them is too many");
    table.findings().add(Problem { message, help: None, place: said.place.clone() });
}

/// What is put there, and how long everything may take.
fn values(table: &mut Section<'_>, settings: &mut RedisSettings) {
    table.set("prefix", said(prefix), &mut settings.prefix);
    table.set("timeout", span(TIMEOUT), &mut settings.timeout);
    table.set("connect_timeout", span(TIMEOUT), &mut settings.connect_timeout);
    table.set("value_bytes_max", size(VALUE), &mut settings.value_bytes_max);
    table.set("chunk", length(CHUNK), &mut settings.chunk_bytes);
    table.set("compress_from", compress_from, &mut settings.compress_from);
    table.set("admission", word(ADMISSION), &mut settings.admission);
    table.set("lease", span(LEASE), &mut settings.lease);
}

/// Braces are a cluster's hash tags: of all keys the same, they would lie on one node.
fn prefix(text: &str) -> Result<String, Refusal> {
    let is_fine = |byte: u8| byte.is_ascii_graphic() && !b"{}".contains(&byte);
    if text.is_empty() || text.len() > PREFIX_BYTES_MAX || !text.bytes().all(is_fine) {
        let form = format!("1 to {PREFIX_BYTES_MAX} visible characters of ASCII without {{ and }}");
        return refuse("no keys begin so", form);
    }
    Ok(text.to_owned())
}

fn compress_from(value: Value<'_>) -> Result<Option<usize>, Refusal> {
    if value.as_text() == Some("off") {
        return Ok(None);
    }
    let refused = |refusal| Refusal {
        allowed: Some("`off`, or a size such as \"4KiB\", 64B to 512MiB".to_owned()),
        ..refusal
    };
    length(COMPRESS)(value).map(Some).map_err(refused)
}

/// Words about a server that nothing names.
fn refuse_nowhere(table: &mut Section<'_>) {
    for key in OF_A_SERVER {
        if let Some(value) = table.value(key) {
            let message = format!("`{key}` does nothing: no `url` says where Redis is");
            let problem = Problem::at(value.place(), message);
            table.findings().add(problem.with_help("write `url = \"redis://localhost:6379\"`"));
        }
    }
}

/// A user is said with his password.
fn refuse_nobody(
    table: &Section<'_>,
    name: &str,
    settings: &RedisSettings,
    password_file: &Option<Placed<PathBuf>>,
) {
    if settings.username.is_some() && settings.password.is_none() && password_file.is_none() {
        let problem = Problem::nowhere("Redis has a user and no password");
        table.findings().add(problem.with_help(format!("write `password_file` into `{name}`")));
    }
}
