//! What a cache counts: a snapshot, and the same as text for Prometheus.

use std::fmt::Write;

use crate::stats::{Count, Snapshot};

/// What the face of a cache counts beside its tiers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) loaded: Count,
    pub(crate) failed: Count,
    pub(crate) panicked: Count,
    pub(crate) too_slow: Count,
    pub(crate) waited_too_long: Count,
    pub(crate) stale: Count,
    pub(crate) revived: Count,
    pub(crate) refreshed: Count,
    pub(crate) not_encoded: Count,
    pub(crate) not_decoded: Count,
    pub(crate) not_transformed: Count,
}

/// All counts of a cache at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The cache's name.
    pub name: String,
    /// Loads that ended well.
    pub loaded: u64,
    /// Loads that failed, whatever the reason.
    pub failed: u64,
    /// Those of them that panicked.
    pub panicked: u64,
    /// Those of them that were ended at their hard limit.
    pub too_slow: u64,
    /// Calls that waited for another's load for as long as they may.
    pub waited_too_long: u64,
    /// Calls that were given something stale.
    pub stale: u64,
    /// Loads that failed while something stale could stand in, until the retry pause was over.
    pub revived: u64,
    /// Loads begun behind an answer.
    pub refreshed: u64,
    /// Values that could not be written as bytes.
    pub not_encoded: u64,
    /// Stored forms that are of another schema or did not read.
    pub not_decoded: u64,
    /// Stored forms of which no value could be made.
    pub not_transformed: u64,
    /// What the tiers count.
    pub tiers: Snapshot,
}

impl Counts {
    pub(crate) fn snapshot(&self, name: &str, tiers: Snapshot) -> Stats {
        Stats {
            name: name.to_owned(),
            loaded: self.loaded.now(),
            failed: self.failed.now(),
            panicked: self.panicked.now(),
            too_slow: self.too_slow.now(),
            waited_too_long: self.waited_too_long.now(),
            stale: self.stale.now(),
            revived: self.revived.now(),
            refreshed: self.refreshed.now(),
            not_encoded: self.not_encoded.now(),
            not_decoded: self.not_decoded.now(),
            not_transformed: self.not_transformed.now(),
            tiers,
        }
    }
}

impl Stats {
    /// Appends all numbers as Prometheus reads them, each with the cache's name as a label. For
    /// several caches in one answer, write the samples of all of them with [`Stats::samples`].
    pub fn write_prometheus(&self, out: &mut String) {
        for sample in self.samples() {
            let Sample { name, kind, value, .. } = &sample;
            // Writing into a string cannot fail.
            let _ =
                writeln!(out, "# TYPE {name} {kind}\n{name}{} {value}", sample.labels(&self.name));
        }
    }

    /// All numbers, each with its name.
    pub fn samples(&self) -> Vec<Sample> {
        let tiers = &self.tiers;
        let counters = [
            ("loads_total", self.loaded),
            ("load_failures_total", self.failed),
            ("load_panics_total", self.panicked),
            ("loads_too_slow_total", self.too_slow),
            ("waits_too_long_total", self.waited_too_long),
            ("stale_answers_total", self.stale),
            ("revivals_total", self.revived),
            ("refreshes_total", self.refreshed),
            ("not_encoded_total", self.not_encoded),
            ("not_decoded_total", self.not_decoded),
            ("not_transformed_total", self.not_transformed),
            ("memory_hits_total", tiers.memory_hits),
            ("misses_total", tiers.misses),
            ("inserts_total", tiers.inserts),
            ("refused_total", tiers.refused),
            ("evictions_total", tiers.evicted),
            ("expirations_total", tiers.expired),
            ("purged_total", tiers.purged),
            ("waits_total", tiers.followed),
        ];
        let gauges = [
            ("entries", tiers.entries),
            ("memory_bytes", tiers.memory_bytes),
            ("loads_under_way", tiers.flights),
        ];
        let counters = counters.map(|(name, value)| Sample::of(name, "counter", value, None));
        let gauges = gauges.map(|(name, value)| Sample::of(name, "gauge", value, None));
        let mut samples: Vec<_> = counters.into_iter().chain(gauges).collect();
        // All samples of one name stand together.
        for (name, value) in [
            ("tier_hits_total", (|tier| tier.hits) as fn(&crate::stats::TierSnapshot) -> u64),
            ("tier_misses_total", |tier| tier.misses),
            ("tier_failures_total", |tier| tier.failed + tier.late),
            ("tier_stored_total", |tier| tier.stored),
        ] {
            let of = |tier| Sample::of(name, "counter", value(tier), Some(tier.name));
            samples.extend(tiers.tiers.iter().map(of));
        }
        samples
    }
}

/// One number with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// What it is to Prometheus.
    pub kind: &'static str,
    /// The number.
    pub value: u64,
    /// Of which tier it is, where it is of one.
    pub tier: Option<&'static str>,
}

impl Sample {
    fn of(name: &str, kind: &'static str, value: u64, tier: Option<&'static str>) -> Self {
        Self { name: format!("forebay_cache_{name}"), kind, value, tier }
    }

    /// Its labels, of a cache with this name.
    pub fn labels(&self, cache: &str) -> String {
        let escaped = cache.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        match self.tier {
            Some(tier) => format!("{{cache=\"{escaped}\",tier=\"{tier}\"}}"),
            None => format!("{{cache=\"{escaped}\"}}"),
        }
    }
}
