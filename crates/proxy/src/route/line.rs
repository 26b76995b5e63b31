//! What an operator sees of the routes in Redis: one line a key.
//!
//! Asked of [`crate::gateway::Gateway::routes`], which gives the `DynamicRoutes` of a gateway that
//! has any:
//!
//! - `snapshot(limit) -> Vec<RouteLine>`: what is known, in the order of the hosts;
//! - `check(host_pattern: &str, value: &[u8]) -> Result<(), String>`: whether a value would be a
//!   route, without writing it; the text says what was expected;
//! - `reread(host_pattern: &str) -> Result<RouteLine, String>` (async): reads one key now and says
//!   what this node uses from here on.

use forebay_semantics::Timestamp;

/// What is known of one key in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteLine {
    /// The key in Redis, its prefix included.
    pub key: String,
    /// The host pattern in it: `example.com`, `*.example.com` or `*`.
    pub host: String,
    /// The value in use, as text, shortened where it is long; empty when there is none.
    pub value: String,
    /// How it stands.
    pub state: RouteState,
    /// Where the value in use was read.
    pub from: RouteSource,
    /// Since when this is so.
    pub since: Timestamp,
}

/// How a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// Its value is used.
    Good,
    /// Its value is wrong, and the last that was good is used.
    LastGood {
        /// What was expected.
        why: String,
    },
    /// Its value is wrong, and there is none to go on with.
    Wrong {
        /// What was expected.
        why: String,
    },
    /// It is not there.
    Absent,
}

/// Where a value was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteSource {
    /// In Redis.
    Redis,
    /// In the table on disk, and not confirmed by Redis since.
    Disk,
}
