//! How often a client gives up what it has asked for.

use std::time::Duration;

use tokio::time::Instant;

/// The span in which resets are counted together.
const SPAN: Duration = Duration::from_secs(1);

/// Exchanges that the client ended before their answers were whole, in the present span.
pub(in super::super) struct Resets {
    since: Instant,
    count: usize,
    max: usize,
}

impl Resets {
    /// No more than `max` exchanges may be reset by the client within a second.
    pub(in super::super) fn new(max: usize) -> Self {
        Resets { since: Instant::now(), count: 0, max }
    }

    /// One more, now.
    pub(in super::super) fn add(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.since) > SPAN {
            (self.since, self.count) = (now, 0);
        }
        self.count += 1;
    }

    /// Whether the client resets streams faster than anybody does who wants answers: each reset
    /// costs it nothing and us an exchange (CVE-2023-44487).
    pub(in super::super) fn are_flood(&self) -> bool {
        self.count > self.max
    }
}
