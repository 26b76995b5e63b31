//! Counters, gauges and one histogram, in the text form that Prometheus reads.
//!
//! The hit path touches a few atomics and nothing else; text is made when somebody asks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use forebay_semantics::status::CacheStatus;
use http::StatusCode;
use parking_lot::Mutex;

use super::{Outcome, Reading};

/// Upper ends of the histogram's buckets, in microseconds.
const BUCKETS_MICROS: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000, 30_000_000,
];

/// Reasons that are told apart in `forebay_reasons_total`; words are the program's own, so this is
/// a guard against a mistake and not against a client.
const REASONS_MAX: usize = 256;

/// What is counted.
#[derive(Default)]
pub struct Metrics {
    exchanges: [[AtomicU64; 6]; Outcome::ALL.len()],
    duration: Histogram,
    body_bytes: AtomicU64,
    reasons: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    origin_requests: AtomicU64,
    origin_failures: Mutex<BTreeMap<&'static str, u64>>,
    refreshes: AtomicU64,
}

#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Metrics {
    /// Counts one exchange that is over.
    pub fn count(
        &self,
        status: StatusCode,
        said: &CacheStatus<'_>,
        duration: Duration,
        body_bytes: u64,
    ) {
        let class = usize::from(status.as_u16() / 100).min(5);
        let outcome = Outcome::from(said);
        self.exchanges[outcome.place()][class].fetch_add(1, Relaxed);
        self.duration.observe(duration);
        self.body_bytes.fetch_add(body_bytes, Relaxed);
        if outcome == Outcome::Hit {
            return;
        }
        let reason = (outcome.word(), said.detail.unwrap_or("none"));
        let mut reasons = self.reasons.lock();
        if reasons.len() < REASONS_MAX || reasons.contains_key(&reason) {
            *reasons.entry(reason).or_default() += 1;
        }
    }

    /// Counts one request to an origin.
    pub fn origin_asked(&self) {
        self.origin_requests.fetch_add(1, Relaxed);
    }

    /// Counts one request to an origin that failed, by its word.
    pub fn origin_failed(&self, word: &'static str) {
        *self.origin_failures.lock().entry(word).or_default() += 1;
    }

    /// Counts one refresh behind an answer.
    pub fn refresh_began(&self) {
        self.refreshes.fetch_add(1, Relaxed);
    }

    /// Everything in the text form (version 0.0.4), with the others' values behind.
    pub fn text(&self, others: &[Reading]) -> String {
        let mut text = String::with_capacity(8192);
        self.write_exchanges(&mut text);
        self.duration.write(&mut text);
        let counters = [
            ("forebay_response_body_bytes_total", "Body bytes sent to clients.", &self.body_bytes),
            ("forebay_origin_requests_total", "Requests sent to origins.", &self.origin_requests),
            ("forebay_refreshes_total", "Refreshes begun behind an answer.", &self.refreshes),
        ];
        for (name, help, value) in counters {
            write_single(&mut text, name, help, "counter", value.load(Relaxed));
        }
        for Reading { name, help, kind, value } in others {
            write_single(&mut text, name, help, kind, *value);
        }
        text
    }

    fn write_exchanges(&self, text: &mut String) {
        let name = "forebay_exchanges_total";
        write_head(text, name, "Exchanges by what the cache did and by status class.", "counter");
        for outcome in Outcome::ALL {
            for (class, count) in self.exchanges[outcome.place()].iter().enumerate().skip(1) {
                let (word, count) = (outcome.word(), count.load(Relaxed));
                let _ = writeln!(text, "{name}{{result=\"{word}\",status=\"{class}xx\"}} {count}");
            }
        }
        let name = "forebay_reasons_total";
        write_head(text, name, "Exchanges that were no plain hit, by the reason given.", "counter");
        for ((result, detail), count) in self.reasons.lock().iter() {
            let _ = writeln!(text, "{name}{{result=\"{result}\",detail=\"{detail}\"}} {count}");
        }
        let name = "forebay_origin_failures_total";
        write_head(text, name, "Requests to origins that failed, by how.", "counter");
        for (word, count) in self.origin_failures.lock().iter() {
            let _ = writeln!(text, "{name}{{reason=\"{word}\"}} {count}");
        }
    }
}

impl Histogram {
    fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = BUCKETS_MICROS.partition_point(|end| *end < micros);
        self.buckets[place].fetch_add(1, Relaxed);
        self.sum_micros.fetch_add(micros, Relaxed);
    }

    fn write(&self, text: &mut String) {
        let name = "forebay_exchange_seconds";
        write_head(text, name, "From the request head to the end of the answer.", "histogram");
        let mut total = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            total += count.load(Relaxed);
            let end = BUCKETS_MICROS
                .get(place)
                .map_or_else(|| "+Inf".to_owned(), |micros| (*micros as f64 / 1e6).to_string());
            let _ = writeln!(text, "{name}_bucket{{le=\"{end}\"}} {total}");
        }
        let sum = self.sum_micros.load(Relaxed) as f64 / 1e6;
        let _ = writeln!(text, "{name}_sum {sum}\n{name}_count {total}");
    }
}

pub(super) fn write_single(text: &mut String, name: &str, help: &str, kind: &str, value: u64) {
    write_head(text, name, help, kind);
    let _ = writeln!(text, "{name} {value}");
}

pub(super) fn write_head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let check = |micros: u64, place: usize| {
            let histogram = Histogram::default();
            histogram.observe(Duration::from_micros(micros));
            assert_eq!(histogram.buckets[place].load(Relaxed), 1, "{micros}");
        };
        check(0, 0);
        check(50, 0);
        check(51, 1);
        check(30_000_000, 15);
        check(30_000_001, 16);
    }

    #[test]
    fn each_metric_is_introduced_once() {
        let text = Metrics::default().text(&[Reading::gauge("forebay_x", "X.", 7)]);
        let mut heads: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let total = heads.len();
        heads.sort_unstable();
        heads.dedup();
        assert_eq!(heads.len(), total);
        assert!(text.contains("forebay_x 7\n"));
    }
}
