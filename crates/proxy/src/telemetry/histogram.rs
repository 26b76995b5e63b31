//! How long things took: counts in a fixed number of buckets, each an atomic, and what can be read
//! from them.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::metrics::write_head;

/// Upper ends of the buckets, in microseconds.
pub const BUCKETS_MICROS: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000, 30_000_000,
];

/// One more than the ends: the last bucket holds all that took longer.
const COUNT: usize = BUCKETS_MICROS.len() + 1;

/// Counts of durations.
#[derive(Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; COUNT],
    sum_micros: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How many fell into each bucket: those of [`BUCKETS_MICROS`], and one for what took longer.
    pub counts: Vec<u64>,
    /// All durations together, in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = BUCKETS_MICROS.partition_point(|end| *end < micros);
        self.buckets[place].fetch_add(1, Relaxed);
        self.sum_micros.fetch_add(micros, Relaxed);
    }

    pub(super) fn read(&self) -> Distribution {
        let counts = self.buckets.iter().map(|count| count.load(Relaxed)).collect();
        Distribution { counts, sum_micros: self.sum_micros.load(Relaxed) }
    }

    pub(super) fn write(&self, text: &mut String, name: &str, help: &str) {
        write_head(text, name, help, "histogram");
        let now = self.read();
        let mut total = 0;
        for (place, count) in now.counts.iter().enumerate() {
            total += count;
            let end = BUCKETS_MICROS
                .get(place)
                .map_or_else(|| "+Inf".to_owned(), |micros| (*micros as f64 / 1e6).to_string());
            let _ = writeln!(text, "{name}_bucket{{le=\"{end}\"}} {total}");
        }
        let sum = now.sum_micros as f64 / 1e6;
        let _ = writeln!(text, "{name}_sum {sum}\n{name}_count {total}");
    }
}

impl Distribution {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What so great a share of them took at most, in microseconds: as if those of one bucket lay
    /// evenly between its ends. `None` where there are none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = share.clamp(0.0, 1.0) * self.count() as f64;
        let mut before = 0.0;
        for (place, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            let begin = if place == 0 { 0 } else { BUCKETS_MICROS[place - 1] };
            // Nobody knows how long the longest took.
            let end = BUCKETS_MICROS.get(place).copied().unwrap_or(begin);
            if before + count >= wanted {
                let within = ((wanted - before) / count).clamp(0.0, 1.0);
                return Some(begin + (within * (end - begin) as f64) as u64);
            }
            before += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let check = |micros: u64, place: usize| {
            let histogram = Histogram::default();
            histogram.observe(Duration::from_micros(micros));
            assert_eq!(histogram.read().counts[place], 1, "{micros}");
        };
        check(0, 0);
        check(50, 0);
        check(51, 1);
        check(30_000_000, 15);
        check(30_000_001, 16);
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_that_holds_it() {
        let of = |durations: &[u64], share: f64| {
            let histogram = Histogram::default();
            durations.iter().for_each(|it| histogram.observe(Duration::from_micros(*it)));
            histogram.read().quantile(share)
        };
        assert_eq!(of(&[], 0.5), None);
        assert_eq!(of(&[40, 40], 0.5), Some(25));
        assert_eq!(of(&[40, 40], 1.0), Some(50));
        assert_eq!(of(&[10, 10, 10, 7_000], 0.5), Some(33));
        assert!(of(&[10, 10, 10, 7_000], 0.99).is_some_and(|it| (5_000..=10_000).contains(&it)));
        assert_eq!(of(&[90_000_000], 0.99), Some(30_000_000));
    }
}
