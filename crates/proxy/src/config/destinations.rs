//! The table `destinations`: what may be connected to.

use super::raw::{Section, said};
use super::text;
use super::{DestinationRange, DestinationSettings};

/// Reads the table; without one, nothing is said.
pub(super) fn read(root: &mut Section<'_>) -> DestinationSettings {
    let Some(mut table) = root.section("destinations") else {
        return DestinationSettings::default();
    };
    let settings = DestinationSettings {
        allow: ranges(&mut table, "allow"),
        deny: ranges(&mut table, "deny"),
    };
    table.finish();
    settings
}

fn ranges<'a>(table: &mut Section<'a>, key: &'a str) -> Vec<DestinationRange> {
    let list = table.list(key, said(text::destination)).unwrap_or_default();
    list.into_iter().map(|range| range.value).collect()
}
