//! Which member of an upstream is asked: the method, when one is left out, how one comes back.

use std::time::Duration;

use http::StatusCode;

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
