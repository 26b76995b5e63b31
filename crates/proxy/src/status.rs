//! What operators look at: one node at one moment, as `GET /status` says it. The one source of the
//! dashboard and of `forebay top`, which read numbers that only grow and show how fast they do.
//!
//! A field that is missing, as another version may not say it, is empty.

mod gather;
mod paced;
mod storage;
mod story;
mod traffic;
mod upstreams;

use serde::{Deserialize, Serialize};

pub use gather::StatusDesk;
pub use upstreams::{MEMBERS_TOLD_MAX, ROUTES_TOLD_MAX};

/// One node at one moment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// How people tell it from others.
    pub node: String,
    /// `serving` or `draining`.
    pub phase: String,
    /// Now, in milliseconds since 1970.
    pub at_millis: u64,
    /// How long the process has run.
    pub uptime_millis: u64,
    /// What became of requests, since the start.
    pub traffic: Traffic,
    /// From the request head to the end of the answer.
    pub answers: Latency,
    /// From a request to an origin to the head of its response.
    pub origins: Latency,
    /// Connections and what was refused on them.
    pub clients: Clients,
    /// Memory, and what lies below it.
    pub tiers: Vec<TierTold>,
    /// What memory gave most often.
    pub hottest: Vec<HotKey>,
    /// Why exchanges were no plain hit, the most frequent first.
    pub reasons: Vec<Reason>,
    /// The routes of the file, with their members.
    pub routes: Vec<RouteTold>,
    /// Routes that are not told of, as there are too many.
    pub routes_left_out: u64,
    /// The routes in Redis, where there are any.
    pub routes_in_redis: Option<RoutesInRedis>,
    /// What this node knows of purges.
    pub log: LogTold,
    /// The nodes that share purges.
    pub nodes: Vec<NodeTold>,
    /// The purges of late, the newest first.
    pub purges: Vec<PurgeTold>,
    /// What went wrong of late, the newest first.
    pub problems: Vec<ProblemTold>,
}

/// What became of requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Traffic {
    /// Exchanges that are over.
    pub requests: u64,
    /// Those that did not wait for an origin: fresh or stale, from the cache.
    pub hits: u64,
    /// Their share; null before the first exchange.
    pub hit_ratio: Option<f64>,
    /// Exchanges by what the cache did.
    pub results: Vec<Counted>,
    /// Exchanges by the class of their status.
    pub statuses: Vec<Counted>,
    /// Body bytes sent to clients.
    pub body_bytes: u64,
    /// Requests sent to origins.
    pub origin_requests: u64,
    /// Exchanges that needed none of their own: hits, and those that shared another's fetch.
    pub origin_saved: u64,
    /// Requests to origins that failed, by how.
    pub origin_failures: Vec<Counted>,
    /// Refreshes begun behind an answer.
    pub refreshes: u64,
}

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Counted {
    /// What.
    pub word: String,
    /// How often.
    pub count: u64,
}

/// How long things took, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// All of them together, in microseconds.
    pub sum_micros: u64,
    /// What half of them took at most.
    pub p50_micros: Option<u64>,
    /// What nine tenths took at most.
    pub p90_micros: Option<u64>,
    /// What 99 of 100 took at most.
    pub p99_micros: Option<u64>,
    /// The upper ends of the buckets; the last count is of what took longer.
    pub ends_micros: Vec<u64>,
    /// How many fell into each.
    pub counts: Vec<u64>,
}

/// The client side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Clients {
    /// Connections, now.
    pub connections: u64,
    /// Exchanges under way, now.
    pub exchanges: u64,
    /// Fetches that several requests may share, now.
    pub flights: u64,
    /// Requests that broke HTTP's rules or a bound, by reason.
    pub refused: Vec<Counted>,
    /// Exchanges that ended in a panic.
    pub panics: u64,
}

/// One tier. What it does not count is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct TierTold {
    /// `memory`, `disk` or `redis`.
    pub name: String,
    /// `up`, `paused` (writing rests after a failure) or `down`.
    pub state: String,
    /// Bytes that it holds.
    pub bytes: Option<u64>,
    /// Their bound.
    pub bytes_max: Option<u64>,
    /// Entries that it holds.
    pub entries: Option<u64>,
    /// Look-ups that it answered.
    pub hits: u64,
    /// Look-ups for which it had nothing.
    pub misses: Option<u64>,
    /// Entries that it took.
    pub stored: u64,
    /// Entries that it did not take: too large, no time, a lost lease.
    pub refused: u64,
    /// Entries dropped for want of room.
    pub evicted: Option<u64>,
    /// Calls that failed, or were given up as late.
    pub failures: u64,
}

/// What memory gave often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct HotKey {
    /// Its URL, or the bytes of its key where no URL can be made of them.
    pub url: String,
    /// How often, about, since it was stored.
    pub hits: u64,
    /// Bytes of its body.
    pub body_bytes: u64,
}

/// Why exchanges were no plain hit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Reason {
    /// What the cache did.
    pub result: String,
    /// The word that `Cache-Status` said.
    pub detail: String,
    /// How often.
    pub count: u64,
}

/// A route of the file, or one in Redis that has been used.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct RouteTold {
    /// Its name.
    pub name: String,
    /// Its host.
    pub host: String,
    /// Its path prefix.
    pub path: String,
    /// How many further routes share its members; those of the file share none.
    pub sharing: u64,
    /// Where it leads.
    pub members: Vec<MemberTold>,
}

/// A member of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct MemberTold {
    /// Its name.
    pub name: String,
    /// `up`, `out`, `down` or `draining`.
    pub state: String,
    /// Why it is out: `rest`, `breaker` or `ejection`.
    pub why: Option<String>,
    /// For how long yet.
    pub out_millis: Option<u64>,
    /// Requests that it has, now.
    pub requests: u64,
    /// Requests that wait for it, now.
    pub waiting: u64,
    /// How long it takes to a response's head, smoothed.
    pub latency_micros: Option<u64>,
    /// How often it was left out.
    pub ejections: u64,
    /// Health checks that it failed.
    pub checks_failed: u64,
    /// Its weight now.
    pub weight: f64,
}

/// The routes in Redis.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct RoutesInRedis {
    /// Whether they can be read now.
    pub is_up: bool,
    /// Keys with a value that are known.
    pub known: u64,
    /// Keys that are known to be absent.
    pub absent: u64,
    /// Keys whose value means nothing.
    pub wrong: u64,
    /// Changes that Redis told of.
    pub changes: u64,
    /// Those that have been used, with their members, each once however many routes share them; those
    /// with a member that is not up stand first.
    pub used: Vec<RouteTold>,
    /// Those that are not told of, as there are too many.
    pub used_left_out: u64,
}

/// What this node knows of purges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct LogTold {
    /// Where the log lies: `memory`, `file` or `redis`.
    pub kind: String,
    /// Which log: sixteen hexadecimal digits.
    pub lineage: String,
    /// The number of the newest purge that it has applied.
    pub epoch: u64,
    /// What is older than the purge with this number is validated.
    pub floor: u64,
    /// Rules that purges made.
    pub rules: u64,
    /// Whether a purge may have been missed.
    pub in_doubt: bool,
    /// How long ago the log was heard; null where nobody else writes it.
    pub heard_millis: Option<u64>,
}

/// A node, as the log of purges has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct NodeTold {
    /// Its name.
    pub node: String,
    /// Whether it is the one that says this.
    pub is_this: bool,
    /// `applied`, `behind`, `unheard` or `doubt`.
    pub state: String,
    /// The newest purge that it is known to have applied.
    pub at: Option<u64>,
    /// For how long it was not heard.
    pub unheard_millis: Option<u64>,
}

/// A purge of late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct PurgeTold {
    /// The number of its last purge.
    pub epoch: u64,
    /// How many purges it made.
    pub purges: u64,
    /// When, in milliseconds since 1970.
    pub at_millis: u64,
    /// `hard`, `soft` or `refresh`; of another node's a refresh is `soft`.
    pub kind: String,
    /// What it named. Of another node's only the sort is known.
    pub what: Vec<String>,
    /// Whether this node was given the order.
    pub is_own: bool,
    /// How far each node was when the order was answered.
    pub nodes: Vec<NodeTold>,
}

/// What went wrong of late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ProblemTold {
    /// Its kind, in one word.
    pub word: String,
    /// What was tried, on what, and why not.
    pub text: String,
    /// How often.
    pub count: u64,
    /// When it was first seen, in milliseconds since 1970; null where nobody noted it.
    pub first_millis: Option<u64>,
    /// When it was last seen.
    pub last_millis: Option<u64>,
}
