//! Which member of an upstream is asked: the method, when one is left out, how one comes back.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;

use super::problem::Problem;
use super::raw::{Section, Value, count, number, said, span, word};
use super::text::{self, Refusal};
use super::words::refuse_none;
use super::{MemberSettings, UpstreamSettings};

/// How long a member may be left out.
const OUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
/// How long a member may start slowly.
const SLOW_START: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);
/// The largest weight of a member.
const WEIGHT_MAX: u64 = 1000;
/// The most failures in a row that a member may be forgiven.
const FAILURES_MAX: u64 = 1000;

const BALANCE: &[(&str, Balance)] = &[
    ("round-robin", Balance::RoundRobin),
    ("least-requests", Balance::LeastRequests),
    ("power-of-two", Balance::PowerOfTwo),
    ("hash", Balance::Hash),
];

/// How a member is chosen among those that may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest requests for its weight.
    LeastRequests,
    /// The better of two that are drawn by weight: latency, and what it has to do already.
    PowerOfTwo,
    /// Always the same one for a cache key, so that the origins' own caches work.
    Hash,
}

/// When a member that fails is left out, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Ejection {
    /// Failures in a row.
    pub failures: u32,
    /// How long the first time; it doubles with each repetition.
    pub time: Duration,
    /// How long at most.
    pub time_max: Duration,
    /// The share of the members that may be left out for how they answer; beyond it all that can
    /// be reached are asked again.
    pub share_max: f64,
    /// Statuses that count as failures. A time limit of ours counts as 504, an answer that breaks
    /// off as 502.
    pub statuses: Vec<StatusCode>,
}

impl Default for Ejection {
    fn default() -> Self {
        Ejection {
            failures: 5,
            time: Duration::from_secs(5),
            time_max: Duration::from_secs(60),
            share_max: 0.5,
            statuses: vec![
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ],
        }
    }
}

/// The members under `to`: each a text, or a table with `url` and `weight`.
pub(super) fn members(table: &mut Section<'_>) -> Vec<MemberSettings> {
    if table.value("to").is_none() {
        let problem =
            Problem::at(table.place(), "`route` has no `to`: nothing says where it leads");
        table.findings().add(problem.with_help("write `to = \"http://localhost:3000\"`"));
    }
    refuse_none(table, "to");
    let entries = table.list("to", Ok).unwrap_or_default();
    entries.into_iter().filter_map(|entry| member(table, entry.value)).collect()
}

fn member<'a>(table: &Section<'a>, value: Value<'a>) -> Option<MemberSettings> {
    let Some(written) = value.table() else {
        return table.accept("to", value, said(text::member)).map(|member| member.value);
    };
    let mut table = Section::new("to", written, value.place(), table.findings());
    let Some(url) = table.value("url") else {
        let problem = Problem::at(table.place(), "a member of `to` has no `url`");
        let form = "write { url = \"http://10.0.0.5:3000\", weight = 2 }";
        table.findings().add(problem.with_help(form));
        return None;
    };
    let member = table.accept("to", url, said(text::member));
    let weight = table.read("weight", small(1..=WEIGHT_MAX));
    table.finish();
    let weight = weight.map_or(1, |weight| weight.value);
    member.map(|member| MemberSettings { weight, ..member.value })
}

/// What the table `upstream` says of the choice of a member.
pub(super) fn read(table: &mut Section<'_>, upstream: &mut UpstreamSettings) {
    table.set("balance", word(BALANCE), &mut upstream.balance);
    table.set("slow_start", span(SLOW_START), &mut upstream.slow_start);
    if let Some(mut table) = table.section("ejection") {
        ejection(&mut table, &mut upstream.ejection);
        table.finish();
    }
}

fn ejection(table: &mut Section<'_>, ejection: &mut Ejection) {
    table.set("failures", small(1..=FAILURES_MAX), &mut ejection.failures);
    table.set("for", span(OUT), &mut ejection.time);
    table.set("for_max", span(OUT), &mut ejection.time_max);
    table.set("share_max", number(0.0..=1.0), &mut ejection.share_max);
    if let Some(listed) = table.list("statuses", status) {
        ejection.statuses = listed.into_iter().map(|status| status.value).collect();
    }
    if ejection.time_max < ejection.time {
        let message = "`for_max` is shorter than `for`, the time of the first ejection";
        table.findings().add(Problem::at(table.place(), message));
    }
}

fn small(bounds: RangeInclusive<u64>) -> impl Fn(Value<'_>) -> Result<u32, Refusal> {
    let count = count(bounds);
    move |value| Ok(u32::try_from(count(value)?).unwrap_or(u32::MAX))
}

/// A status that an origin fails with.
fn status(value: Value<'_>) -> Result<StatusCode, Refusal> {
    let number = small(400..=599)(value)?;
    let status = u16::try_from(number).ok().and_then(|number| StatusCode::from_u16(number).ok());
    status.ok_or_else(|| value.is_not("a status"))
}
