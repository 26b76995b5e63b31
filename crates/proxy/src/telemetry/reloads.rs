//! What `/metrics` says of configurations that were put in place of others.

use std::time::{SystemTime, UNIX_EPOCH};

use super::readings::{Reading, write_labelled, write_rows};
use crate::reload::Reloads;

/// How many were taken and refused, and when.
pub fn write_reloads(text: &mut String, now: &Reloads) {
    let rows = [("taken", now.taken), ("refused", now.refused)];
    let help = "Configurations read again while the process ran.";
    write_labelled(text, "forebay_reloads_total", help, "result", &rows);
    let seconds = |at: Option<SystemTime>| {
        at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
    };
    let last = [
        Reading::gauge(
            "forebay_reload_taken_timestamp_seconds",
            "When a configuration was last taken while the process ran; 0 is never.",
            seconds(now.last_taken),
        ),
        Reading::gauge(
            "forebay_reload_refused_timestamp_seconds",
            "When a configuration was last refused; 0 is never.",
            seconds(now.last_refused),
        ),
        Reading::gauge(
            "forebay_reload_is_refused",
            "1 while the last configuration that was read is not the one that counts.",
            u64::from(now.why.is_some()),
        ),
    ];
    write_rows(text, &last);
}
