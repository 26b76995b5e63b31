//! One pass over the file and the flags: says what they mean together, and all that is wrong.
//!
//! What is wrong is added to the findings and replaced by a default, so that the pass goes on; its
//! [`Config`] is used only when nothing was found.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use forebay_semantics::fields::is_token_byte;

use super::defaults::{ADMIN, LISTEN, MEMORY_BYTES, MEMORY_BYTES_MIN, NAME, StoredBody};
use super::flags::RunArgs;
use super::problem::Problem;
use super::raw::{Placed, Section, count, length, number, said, size, span, word};
use super::text::{self, Refusal, in_bytes, refuse};
use super::words::{at_once, networks, secret};
use super::{
    AccessLog, Admin, Config, Limits, Listen, Reload, destinations, disk, dynamic, purge, redis,
    routes, tls, traces,
};

/// The most memory that can be given: more than any machine has.
const MEMORY_BYTES_MAX: u64 = 1 << 46;

const RELOAD: &[(&str, Reload)] = &[("asked", Reload::Asked), ("watch", Reload::Watch)];

/// Characters of the gateway's name.
const NAME_BYTES_MAX: usize = 64;

/// A time span that something waits.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);

/// What file and flags mean.
pub(super) struct Checked {
    /// The configuration, without what stands in files of its own.
    pub(super) config: Config,
    /// Those files.
    pub(super) files: Files,
}

/// Files of which each holds one text.
pub(super) struct Files {
    /// The admin token's.
    pub(super) token: Option<Placed<PathBuf>>,
    /// The password's for Redis.
    pub(super) password: Option<Placed<PathBuf>>,
    /// The secret's that authenticates values in Redis.
    pub(super) secret: Option<Placed<PathBuf>>,
    /// The password's for the Redis of `routes`.
    pub(super) routes_password: Option<Placed<PathBuf>>,
}

/// Reads the file's outermost table, and the flags that go before it.
pub(super) fn check(mut root: Section<'_>, args: &RunArgs) -> Checked {
    let listen = listeners(&mut root, args);
    let admin = admin(&mut root, args);
    refuse_same_address(&root, &listen, &admin);
    let token = root.read("admin_token", said(secret));
    let token_file = root.read("admin_token_file", said(|text| Ok(PathBuf::from(text))));
    refuse_open_admin(&root, &admin, &token, &token_file);
    let memory = memory(&mut root, args);
    let disk = disk::read(&mut root, &args.tiers);
    let redis = redis::read(&mut root, &args.tiers);
    let taken: Vec<&Listen> = listen.iter().map(|one| &one.value).collect();
    let beside = tls::Beside { taken: &taken, admin: admin.value, redis: redis.settings.as_ref() };
    let tls = tls::read(&mut root, &beside);
    if listen.is_empty() && !tls.is_on() {
        refuse_nobody(&mut root);
    }
    let stored_body_bytes = StoredBody::of(memory, disk.as_ref());
    let defaults = routes::defaults(&mut root, args, stored_body_bytes);
    let beside = dynamic::Beside {
        redis: redis.settings.as_ref(),
        disk: disk.as_ref(),
        defaults: &defaults,
    };
    let dynamic::Said { settings: dynamic, password_file: routes_password } =
        dynamic::read(&mut root, args, &beside);
    let routes = routes::read(&mut root, args, &defaults, stored_body_bytes);
    if routes.is_empty() && dynamic.is_none() {
        routes::refuse_none(&mut root);
    }
    let purge = purge::read(&mut root, redis.settings.as_ref());
    let trusted_peers = networks(&mut root, "trusted_peers").unwrap_or_default();
    let limits = Limits { uncounted_peers: trusted_peers.clone(), ..limits(&mut root) };
    let config = Config {
        listen: listen.into_iter().map(|listen| listen.value).collect(),
        tls,
        proxy_protocol: tls::read_proxy_protocol(&mut root),
        admin: admin.value,
        admin_token: token.map(|token| token.value),
        workers: workers(&mut root, args),
        name: root.read("name", said(name)).map_or(NAME.to_owned(), |name| name.value),
        memory_bytes: memory,
        disk,
        redis: redis.settings,
        limits,
        trusted_peers,
        access_log: access_log(&mut root, args),
        access_log_file: root.read("access_log_file", said(log_file)).map(|file| file.value),
        access_log_sample: root
            .read("access_log_sample", number(0.0..=1.0))
            .map_or(1.0, |sample| sample.value),
        reload: reload(&mut root, args),
        purge,
        destinations: destinations::read(&mut root),
        traces: traces::read(&mut root),
        routes,
        dynamic,
    };
    root.finish();
    let files = Files {
        token: token_file,
        password: redis.password_file,
        secret: redis.secret_file,
        routes_password,
    };
    Checked { config, files }
}

fn listeners(root: &mut Section<'_>, args: &RunArgs) -> Vec<Placed<Listen>> {
    let in_file = root.list("listen", said(text::listen));
    let listen = if args.listen.is_empty() {
        in_file.unwrap_or_else(|| {
            vec![Placed::nowhere(text::listen(LISTEN).expect("a constant address"))]
        })
    } else {
        args.listen.iter().cloned().map(Placed::nowhere).collect()
    };
    for (at, one) in listen.iter().enumerate() {
        if listen[..at].iter().any(|other| one.value.overlaps(&other.value)) {
            let message = format!("`{}` is listened to already", one.value);
            root.findings().add(Problem { message, help: None, place: one.place.clone() });
        }
    }
    listen
}

/// A list without an entry says that nobody is accepted in the clear; then it must be by TLS. One with
/// wrong entries alone is refused already.
fn refuse_nobody(root: &mut Section<'_>) {
    let Some(value) = root.value("listen").filter(|value| value.list().is_empty()) else { return };
    let problem = Problem::at(value.place(), "`listen` is empty, and nobody is accepted by TLS");
    root.findings().add(problem.with_help("write an address, or `[tls]` with a `listen`"));
}

fn admin(root: &mut Section<'_>, args: &RunArgs) -> Placed<Option<SocketAddr>> {
    let in_file = root.read("admin", said(text::admin));
    let said = args.admin.map(Placed::nowhere).or(in_file);
    let default = || Placed::nowhere(text::admin(ADMIN).expect("a constant address"));
    let Placed { value, place } = said.unwrap_or_else(default);
    match value {
        Admin::Off => Placed { value: None, place },
        Admin::At(address) => Placed { value: Some(address), place },
    }
}

fn refuse_same_address(
    root: &Section<'_>,
    listen: &[Placed<Listen>],
    admin: &Placed<Option<SocketAddr>>,
) {
    let Some(address) = admin.value else { return };
    let admin_listen = Listen::Tcp(address);
    let Some(same) = listen.iter().find(|one| one.value.overlaps(&admin_listen)) else {
        return;
    };
    let message = format!("`admin` cannot be `{address}`: clients are accepted there");
    let place = admin.place.clone().or_else(|| same.place.clone());
    let help = "choose another port, or `off`";
    root.findings().add(Problem { message, help: Some(help.to_owned()), place });
}

fn refuse_open_admin(
    root: &Section<'_>,
    admin: &Placed<Option<SocketAddr>>,
    token: &Option<Placed<String>>,
    token_file: &Option<Placed<PathBuf>>,
) {
    if let (Some(_), Some(file)) = (token, token_file) {
        let message = "`admin_token_file` stands beside `admin_token`: one of them is too many";
        root.findings().add(Problem {
            message: message.to_owned(),
            help: None,
            place: file.place.clone(),
        });
    }
    let Some(address) = admin.value else { return };
    if address.ip().is_loopback() || token.is_some() || token_file.is_some() {
        return;
    }
    let message = format!("`admin` cannot be `{address}`: others reach it, and no token guards it");
    let help = "write `admin_token_file`, or choose an address such as 127.0.0.1:8081";
    let place = admin.place.clone();
    root.findings().add(Problem { message, help: Some(help.to_owned()), place });
}

fn memory(root: &mut Section<'_>, args: &RunArgs) -> u64 {
    let bounds = MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX;
    let in_file = match root.value("memory") {
        Some(value) if value.table().is_some() => root.section("memory").and_then(|mut table| {
            let size = table.read("size", size(bounds.clone()));
            table.finish();
            size
        }),
        Some(value) => root.accept("memory", value, size(bounds.clone())),
        None => None,
    };
    let Some(bytes) = args.memory else {
        return in_file.map_or(MEMORY_BYTES, |size| size.value);
    };
    if !bounds.contains(&bytes) {
        let message = format!("`--memory` cannot be `{}`", in_bytes(bytes));
        let help = format!("allowed: {} to {}", in_bytes(*bounds.start()), in_bytes(*bounds.end()));
        root.findings().add(Problem::nowhere(message).with_help(help));
    }
    bytes.max(MEMORY_BYTES_MIN)
}

fn workers(root: &mut Section<'_>, args: &RunArgs) -> Option<usize> {
    let in_file = root.read("workers", count(1..=1024));
    if let Some(workers) = args.workers
        && !(1..=1024).contains(&workers)
    {
        let message = format!("`--workers` cannot be `{workers}`");
        root.findings().add(Problem::nowhere(message).with_help("allowed: 1 to 1024"));
    }
    args.workers.or(in_file.map(|workers| workers.value))
}

fn access_log(root: &mut Section<'_>, args: &RunArgs) -> AccessLog {
    let in_file = root.read("access_log", word(text::ACCESS_LOG)).map(|log| log.value);
    args.log.or(in_file).unwrap_or(AccessLog::Off)
}

/// A path; a folder is refused when it is opened.
fn log_file(text: &str) -> Result<PathBuf, Refusal> {
    match text.is_empty() || text.contains('\0') {
        true => refuse("it is no path", "a file such as /var/log/forebay/access.log"),
        false => Ok(PathBuf::from(text)),
    }
}

fn reload(root: &mut Section<'_>, args: &RunArgs) -> Reload {
    let in_file = root.read("reload", word(RELOAD)).map_or(Reload::Asked, |when| when.value);
    if args.watch { Reload::Watch } else { in_file }
}

fn limits(root: &mut Section<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut table) = root.section("limits") else {
        return limits;
    };
    table.set("connections_max", count(1..=10_000_000), &mut limits.connections_max);
    let per_address = &mut limits.connections_per_address_max;
    table.set("connections_per_address_max", at_once, per_address);
    table.set("requests_max", count(1..=10_000_000), &mut limits.requests_max);
    table.set("head_bytes_max", length(1 << 10..=16 << 20), &mut limits.head_bytes_max);
    table.set("target_bytes_max", length(256..=16 << 20), &mut limits.target_bytes_max);
    table.set("fields_max", count(8..=10_000), &mut limits.fields_max);
    table.set("body_bytes_max", size(0..=1 << 50), &mut limits.body_bytes_max);
    table.set("head_timeout", span(WAIT), &mut limits.head_timeout);
    table.set("body_timeout", span(WAIT), &mut limits.body_timeout);
    table.set("idle_timeout", span(WAIT), &mut limits.idle_timeout);
    table.set("send_timeout", span(WAIT), &mut limits.send_timeout);
    table.set("drain_timeout", span(Duration::ZERO..=*WAIT.end()), &mut limits.drain_timeout);
    let streams = table.read("streams_max", count(1..=65_535));
    limits.streams_max = streams.map_or(limits.streams_max, |streams| streams.value as u32);
    table.set("resets_max", count(1..=65_535), &mut limits.resets_max);
    if limits.target_bytes_max > limits.head_bytes_max {
        let message = "`target_bytes_max` is larger than `head_bytes_max`, which holds it";
        table.findings().add(Problem::at(table.place(), message));
    }
    table.finish();
    limits
}

/// A name that `Via` can have (RFC 9110 section 7.6.3: a token).
fn name(text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(is_token_byte) {
        let form = format!("1 to {NAME_BYTES_MAX} letters, digits and -._~ without spaces");
        return refuse("it is no word for `Via`", form);
    }
    Ok(text.to_owned())
}
