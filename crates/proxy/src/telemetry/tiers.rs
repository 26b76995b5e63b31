//! What the tiers below memory count, as `/metrics` tells it.

use std::fmt::Write;

use forebay_cache::mechanism::{Snapshot, TierSnapshot};

use super::metrics::write_head;
use super::readings::COUNTER;

/// A number of a tier under a label's value.
type Part = (&'static str, fn(&TierSnapshot) -> u64);

const LOOK_UPS: [Part; 2] = [("hit", |now| now.hits), ("miss", |now| now.misses)];

const STORES: [Part; 4] = [
    ("stored", |now| now.stored),
    ("refused", |now| now.refused),
    ("busy", |now| now.busy),
    ("fenced", |now| now.fenced),
];

const FAILURES: [Part; 2] = [("failed", |now| now.failed), ("late", |now| now.late)];

/// What each tier did; nothing where memory is the only one.
pub fn write_tiers(text: &mut String, now: &Snapshot) {
    if now.tiers.is_empty() {
        return;
    }
    let write = |text: &mut String, name, help, label, parts: &[Part]| {
        write_head(text, name, help, COUNTER);
        for tier in &now.tiers {
            for (result, value) in parts {
                let (tier, value) = (tier.name, value(tier));
                let _ = writeln!(text, "{name}{{tier=\"{tier}\",{label}=\"{result}\"}} {value}");
            }
        }
    };
    let name = "forebay_tier_look_ups_total";
    write(text, name, "Look-ups below memory, by tier.", "result", &LOOK_UPS);
    let name = "forebay_tier_stores_total";
    let help = "Entries for the tiers below memory, by what became of them.";
    write(text, name, help, "result", &STORES);
    let name = "forebay_tier_failures_total";
    let help = "Calls to tiers that failed, or were given up as late.";
    write(text, name, help, "reason", &FAILURES);
    let name = "forebay_tier_stores_dropped_total";
    write_head(text, name, "Entries kept in memory only, as too many were on their way.", COUNTER);
    let _ = writeln!(text, "{name} {}", now.puts_dropped);
}
