//! Health checks, retries and requests at once: what the table `upstream` says beyond connections.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use rustls::pki_types::ServerName;

use super::UpstreamSettings;
use super::lifetimes::statuses;
use super::problem::Problem;
use super::raw::{Section, Value, count, said, span, word};
use super::text::{Refusal, refuse};
use super::words::{at_once, refuse_none};

/// Between two health checks: more often helps nobody, and loads the origin.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
/// A wait of a health check, or of a request for its turn.
const WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);
/// Bytes of a health check's path.
const PATH_BYTES_MAX: usize = 4096;
/// Bytes of a host and port.
const HOST_BYTES_MAX: usize = 261;
/// Members that one request may be tried on beyond its first.
pub(super) const RETRIES_MAX: u64 = 8;

/// How members are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthSettings {
    /// What is asked for: a path, with its query.
    pub path: String,
    /// With which method.
    pub method: HealthMethod,
    /// How often each member is asked, give or take a tenth.
    pub interval: Duration,
    /// How long a check may take, connecting included.
    pub timeout: Duration,
    /// Statuses of a member that is well.
    pub expect: Vec<StatusRange>,
    /// Checks in a row that must succeed before a member that was down is used again.
    pub healthy_after: u32,
    /// Checks in a row that must fail before a member is not used any more.
    pub unhealthy_after: u32,
    /// What `Host` says; the member's own name where it is `None`.
    pub host: Option<String>,
}

/// The method of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthMethod {
    /// HEAD: the status is all that counts.
    Head,
    /// GET, for origins that do not know HEAD there.
    Get,
}

/// Statuses from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRange {
    /// The first.
    pub first: StatusCode,
    /// The last.
    pub last: StatusCode,
}

impl StatusRange {
    /// Whether a status is one of them.
    pub fn contains(&self, status: StatusCode) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

impl HealthSettings {
    /// The defaults for this path.
    pub fn of(path: String) -> Self {
        let class = |first, last| StatusRange {
            first: StatusCode::from_u16(first).expect("a constant status"),
            last: StatusCode::from_u16(last).expect("a constant status"),
        };
        HealthSettings {
            path,
            method: HealthMethod::Get,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            expect: vec![class(200, 399)],
            healthy_after: 2,
            unhealthy_after: 3,
            host: None,
        }
    }
}

const METHOD: &[(&str, HealthMethod)] = &[("HEAD", HealthMethod::Head), ("GET", HealthMethod::Get)];

/// What the table `upstream` says of failing members, and of requests at once.
pub(super) fn read(table: &mut Section<'_>, upstream: &mut UpstreamSettings) {
    table.set("retries", count(0..=RETRIES_MAX), &mut upstream.retries);
    if let Some(listed) = table.list("retry_statuses", retry_status) {
        upstream.retry_statuses = listed.into_iter().map(|status| status.value).collect();
    }
    table.set("requests_max", at_once, &mut upstream.requests_max);
    table.set("queue_max", count(0..=65_535), &mut upstream.queue_max);
    table.set("queue_timeout", span(WAIT), &mut upstream.queue_timeout);
    if let Some(name) = table.read("server_name", said(server_name)) {
        upstream.server_name = Some(name.value);
    }
    health(table, &mut upstream.health);
}

/// How members are checked: `off`, or a table with a `path`.
fn health(table: &mut Section<'_>, health: &mut Option<HealthSettings>) {
    let Some(value) = table.value("health") else { return };
    if value.as_text() == Some("off") {
        *health = None;
        return;
    }
    let is_table = |value: Value<'_>| match value.table() {
        Some(_) => Ok(()),
        None => Err(value.is_not("\"off\" or a table such as { path = \"/health\" }")),
    };
    if table.accept("health", value, is_table).is_none() {
        return;
    }
    if let Some(table) = table.section("health") {
        *health = Some(health_table(table, health.take()));
    }
}

/// What the table says, on top of what was said before.
fn health_table(mut table: Section<'_>, before: Option<HealthSettings>) -> HealthSettings {
    if before.is_none() && table.value("path").is_none() {
        let problem = Problem::at(table.place(), "`health` has no `path` to ask for");
        table.findings().add(problem.with_help("write `path = \"/health\"`"));
    }
    let mut health = before.unwrap_or_else(|| HealthSettings::of("/".to_owned()));
    table.set("path", said(path), &mut health.path);
    table.set("method", word(METHOD), &mut health.method);
    table.set("interval", span(INTERVAL), &mut health.interval);
    table.set("timeout", span(WAIT), &mut health.timeout);
    refuse_none(&mut table, "expect");
    if let Some(listed) = table.list("expect", expected) {
        health.expect = listed.into_iter().map(|range| range.value).collect();
    }
    table.set("healthy_after", times, &mut health.healthy_after);
    table.set("unhealthy_after", times, &mut health.unhealthy_after);
    if let Some(host) = table.read("host", said(host)) {
        health.host = Some(host.value);
    }
    table.finish();
    health
}

/// A status with which an origin says that another member may do better.
fn retry_status(value: Value<'_>) -> Result<StatusCode, Refusal> {
    let number = count(400..=599)(value)?;
    let status = u16::try_from(number).ok().and_then(|number| StatusCode::from_u16(number).ok());
    status.ok_or_else(|| value.is_not("a status"))
}

fn times(value: Value<'_>) -> Result<u32, Refusal> {
    count(1..=100)(value).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// `200`, `"2xx"` or `"200-204"`.
fn expected(value: Value<'_>) -> Result<StatusRange, Refusal> {
    let text = match value.as_text() {
        Some(text) => text.to_owned(),
        None => count(200..=599)(value)?.to_string(),
    };
    statuses(&text).map(|(first, last)| StatusRange { first, last })
}

fn path(text: &str) -> Result<String, Refusal> {
    let is_sendable = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !text.starts_with('/') || !is_sendable || text.len() > PATH_BYTES_MAX {
        return refuse("it is no path", "write one such as /health, in visible ASCII");
    }
    Ok(text.to_owned())
}

fn host(text: &str) -> Result<String, Refusal> {
    let is_host = !text.is_empty() && !text.contains(['/', '@', ' ']);
    if !is_host || text.len() > HOST_BYTES_MAX || HeaderValue::from_str(text).is_err() {
        return refuse("it is no host", "write a name such as example.com, with or without a port");
    }
    Ok(text.to_owned())
}

fn server_name(text: &str) -> Result<String, Refusal> {
    match ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => refuse("no certificate has it", "write a name such as origin.example.com"),
    }
}
