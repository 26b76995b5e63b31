//! Counters, gauges and histograms, in the text form that Prometheus reads.
//!
//! The hit path touches a few atomics and nothing else; text is made when somebody asks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use forebay_semantics::status::CacheStatus;
use http::StatusCode;
use parking_lot::Mutex;

use super::Reading;
use super::histogram::{Distribution, Histogram};
use super::lately::Lately;
use crate::record::Outcome;

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
    origin_duration: Histogram,
    lately: Lately,
}

/// All that is counted, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Exchanges by outcome, in the order of [`Outcome::ALL`], and by the first digit of their status.
    pub exchanges: [[u64; 6]; Outcome::ALL.len()],
    /// From the request head to the end of the answer.
    pub answers: Distribution,
    /// From a request to an origin to the head of its response.
    pub origins: Distribution,
    /// Body bytes sent to clients.
    pub body_bytes: u64,
    /// Exchanges that were no plain hit, by outcome and reason.
    pub reasons: Vec<(&'static str, &'static str, u64)>,
    /// Requests sent to origins.
    pub origin_requests: u64,
    /// Those that failed, by how.
    pub origin_failures: Vec<(&'static str, u64)>,
    /// Refreshes begun behind an answer.
    pub refreshes: u64,
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

    /// Counts one response head of an origin, which took so long.
    pub fn origin_answered(&self, took: Duration) {
        self.origin_duration.observe(took);
    }

    /// Counts one request to an origin that failed, by its word, and remembers what went wrong.
    pub fn origin_failed(&self, word: &'static str, why: &str) {
        *self.origin_failures.lock().entry(word).or_default() += 1;
        self.lately.went_wrong(word, why, SystemTime::now());
    }

    /// What happened lately.
    pub fn lately(&self) -> &Lately {
        &self.lately
    }

    /// Counts one refresh behind an answer.
    pub fn refresh_began(&self) {
        self.refreshes.fetch_add(1, Relaxed);
    }

    /// All numbers, now.
    pub fn totals(&self) -> Totals {
        let read = |row: &[AtomicU64; 6]| std::array::from_fn(|class| row[class].load(Relaxed));
        let reasons = self.reasons.lock();
        let reasons = reasons.iter().map(|((result, detail), count)| (*result, *detail, *count));
        let reasons = reasons.collect();
        let failures = self.origin_failures.lock();
        Totals {
            exchanges: std::array::from_fn(|place| read(&self.exchanges[place])),
            answers: self.duration.read(),
            origins: self.origin_duration.read(),
            body_bytes: self.body_bytes.load(Relaxed),
            reasons,
            origin_requests: self.origin_requests.load(Relaxed),
            origin_failures: failures.iter().map(|(word, count)| (*word, *count)).collect(),
            refreshes: self.refreshes.load(Relaxed),
        }
    }

    /// Everything in the text form (version 0.0.4), with the others' values behind.
    pub fn text(&self, others: &[Reading]) -> String {
        let mut text = String::with_capacity(8192);
        self.write_exchanges(&mut text);
        let help = "From the request head to the end of the answer.";
        self.duration.write(&mut text, "forebay_exchange_seconds", help);
        let help = "From a request to an origin to the head of its response.";
        self.origin_duration.write(&mut text, "forebay_origin_seconds", help);
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
