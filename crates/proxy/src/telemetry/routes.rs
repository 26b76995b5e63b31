//! What is counted of the routes in Redis, as `/metrics` tells it.

use super::readings::{Reading, write_labelled, write_rows};
use crate::route::RoutesSnapshot;

/// What is counted of the routes in Redis.
pub fn write_routes(text: &mut String, now: &RoutesSnapshot) {
    let rows = [
        Reading::gauge(
            "forebay_routes_up",
            "1 while routes can be read in Redis.",
            u64::from(now.is_up),
        ),
        Reading::gauge("forebay_routes_known", "Keys with a value.", now.known),
        Reading::gauge("forebay_routes_absent", "Keys known to be absent.", now.absent),
        Reading::gauge("forebay_routes_wrong", "Keys whose value means nothing.", now.wrong_now),
        Reading::counter("forebay_routes_wrong_total", "Values that meant nothing.", now.wrong),
        Reading::counter("forebay_routes_refused_total", "Keys that had no room.", now.refused),
        Reading::counter("forebay_routes_changed_total", "Changes told by Redis.", now.told),
        Reading::counter(
            "forebay_routes_doubts_total",
            "Times that anything may have changed.",
            now.doubts,
        ),
        Reading::counter(
            "forebay_routes_tables_ignored_total",
            "Tables on disk that did not read.",
            now.tables_ignored,
        ),
    ];
    write_rows(text, &rows);
    let lookups =
        [("asked", now.lookups), ("limited", now.limited), ("failed", now.lookups_failed)];
    let help = "Questions for hosts that were not known.";
    write_labelled(text, "forebay_routes_lookups_total", help, "result", &lookups);
    let passes = [("whole", now.reconciles), ("failed", now.reconciles_failed)];
    let help = "Passes over everything that is known.";
    write_labelled(text, "forebay_routes_reconciles_total", help, "result", &passes);
    let saves = [("whole", now.saves), ("failed", now.saves_failed)];
    let help = "Writes of the table on disk.";
    write_labelled(text, "forebay_routes_saves_total", help, "result", &saves);
}
