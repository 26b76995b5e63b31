//! How often something may happen: a bucket of tokens. Pure; it is told the time.

use std::time::Duration;

/// So many a second, and after a pause as many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    per_second: u64,
    /// Billionths of a token.
    nanos: u64,
    at: Duration,
}

/// One token.
const TOKEN: u64 = 1_000_000_000;

impl Rate {
    /// A full bucket.
    pub(crate) fn new(per_second: usize) -> Self {
        let per_second = (per_second as u64).clamp(1, u64::from(u32::MAX));
        Rate { per_second, nanos: per_second * TOKEN, at: Duration::ZERO }
    }

    /// Takes a token, if there is one at this moment.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_nanos();
        self.at = self.at.max(now);
        let gained = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(self.per_second);
        self.nanos = self.nanos.saturating_add(gained).min(self.per_second * TOKEN);
        let is_there = self.nanos >= TOKEN;
        self.nanos -= if is_there { TOKEN } else { 0 };
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: &mut Rate, millis: u64, wanted: usize) -> usize {
        (0..wanted).filter(|_| rate.take(Duration::from_millis(millis))).count()
    }

    #[test]
    fn after_a_pause_a_seconds_worth_is_there_and_no_more() {
        let mut rate = Rate::new(200);
        assert_eq!(taken(&mut rate, 0, 1000), 200);
        assert_eq!(taken(&mut rate, 10, 1000), 2);
        assert_eq!(taken(&mut rate, 1_000_000, 1000), 200);
    }

    #[test]
    fn in_the_long_run_it_gives_its_rate() {
        let mut rate = Rate::new(7);
        let all: usize = (0..10_000).map(|at| taken(&mut rate, at, 3)).sum();
        assert_eq!(all, 7 + 69);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut rate = Rate::new(1);
        assert!(rate.take(Duration::from_secs(10)));
        assert!(!rate.take(Duration::from_secs(5)));
        assert!(!rate.take(Duration::from_secs(10)));
        assert!(rate.take(Duration::from_secs(11)));
    }
}
