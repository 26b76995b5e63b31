//! What is known and counted of purges, as `/metrics` tells it.

use forebay_cache::log::{LogSnapshot, PurgesSnapshot};
use forebay_cache::mechanism::Trust;

use super::readings::{Reading, write_rows};

/// What a node knows of purges, and what its log counts. `killed` are the entries that were found
/// dead.
pub fn write_purges(text: &mut String, now: &PurgesSnapshot, log: &LogSnapshot, killed: u64) {
    let is_in_doubt = u64::from(now.trust == Trust::Doubt);
    let rows = [
        Reading::gauge(
            "forebay_purge_epoch",
            "The number of the newest purge that this node has applied.",
            now.position.number,
        ),
        Reading::gauge(
            "forebay_purge_floor",
            "Entries older than the purge with this number are validated.",
            now.floor,
        ),
        Reading::gauge("forebay_purge_rules", "Rules that purges made.", now.rules),
        Reading::gauge("forebay_purge_rules_bytes", "Their bytes.", now.rules_bytes),
        Reading::gauge(
            "forebay_purge_in_doubt",
            "1 while purges have not been heard of for the bound.",
            is_in_doubt,
        ),
        Reading::gauge("forebay_purge_log_bytes", "Bytes of the log's file.", log.file_bytes),
        Reading::counter("forebay_purges_applied_total", "Purges applied.", now.applied),
        Reading::counter("forebay_purges_written_total", "Purges of this node.", log.appended),
        Reading::counter(
            "forebay_purges_refused_total",
            "Purges that could not be written.",
            log.refused,
        ),
        Reading::counter(
            "forebay_purge_floor_raised_total",
            "Times that purges may have been missed, so that what was kept is validated.",
            now.raised,
        ),
        Reading::counter("forebay_purged_entries_total", "Entries found purged.", killed),
    ];
    write_rows(text, &rows);
}
