//! The tiers, and what lies in the first of them.

use forebay_cache::mechanism::{Key, Snapshot, TierSnapshot, Used};
use forebay_cache::redis::LinkState;
use forebay_semantics::key::KeyTarget;

use super::{HotKey, TierTold};
use crate::gateway::Gateway;
use crate::kept::{Kept, family};

/// Hot keys that are told.
const HOTTEST_MAX: usize = 20;

/// Characters of a URL that are told.
const URL_CHARS_MAX: usize = 1_024;

pub(super) fn tiers(gateway: &Gateway, now: &Snapshot) -> Vec<TierTold> {
    let storage = gateway.storage();
    let mut tiers = vec![memory(gateway, now)];
    for below in &now.tiers {
        let mut told = below_memory(below);
        // Given away to a successor, it has no numbers of ours.
        let disk = storage.disk.as_ref().and_then(|disk| disk.snapshot());
        if let (Some(disk), "disk") = (disk, below.name) {
            told.state = if disk.paused { "paused" } else { "up" }.to_owned();
            told.bytes = Some(disk.bytes);
            told.bytes_max = Some(disk.bytes_max);
            told.entries = Some(disk.objects);
            told.evicted = Some(disk.evicted);
        }
        if let (Some(shared), "redis") = (&storage.shared, below.name) {
            let is_up = shared.link.snapshot().state == LinkState::Up;
            told.state = if is_up { "up" } else { "down" }.to_owned();
        }
        tiers.push(told);
    }
    tiers
}

fn memory(gateway: &Gateway, now: &Snapshot) -> TierTold {
    // Whatever memory does not have is asked of the tier below it, which counts.
    let asked_below = |it: &TierSnapshot| it.hits + it.misses + it.failed + it.late;
    TierTold {
        name: "memory".to_owned(),
        state: "up".to_owned(),
        bytes: Some(now.memory_bytes),
        bytes_max: Some(gateway.config().memory_bytes),
        entries: Some(now.entries),
        hits: now.memory_hits,
        misses: now.tiers.first().map(asked_below),
        stored: now.inserts,
        refused: now.refused,
        evicted: Some(now.evicted),
        failures: 0,
    }
}

fn below_memory(now: &TierSnapshot) -> TierTold {
    TierTold {
        name: now.name.to_owned(),
        state: "up".to_owned(),
        bytes: None,
        bytes_max: None,
        entries: None,
        hits: now.hits,
        misses: Some(now.misses),
        stored: now.stored,
        refused: now.refused + now.busy + now.fenced,
        evicted: None,
        failures: now.failed + now.late,
    }
}

/// What memory gave most often. A walk over memory.
pub(super) async fn hottest(gateway: &Gateway) -> Vec<HotKey> {
    let is_used_response = |_: &Key, entry: &forebay_cache::mechanism::Entry<Kept>| {
        entry.uses() > 0 && entry.head().response().is_some()
    };
    let used = gateway.cache().hottest(HOTTEST_MAX, is_used_response).await;
    used.iter().map(hot).collect()
}

fn hot(used: &Used<Kept>) -> HotKey {
    let key = used.key.as_bytes();
    let url = KeyTarget::of(family(key)).and_then(|target| target.uri());
    let url = url.unwrap_or_else(|| key.escape_ascii().to_string());
    HotKey {
        url: url.chars().take(URL_CHARS_MAX).collect(),
        hits: u64::from(used.uses),
        body_bytes: used.entry.body().len_known().unwrap_or(0),
    }
}
