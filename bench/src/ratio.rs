//! How much of a trace is a hit, with room for the same number of entries.

use crate::Effort;
use crate::caches::MAKERS;
use crate::table::{Table, goal};
use crate::traces;

/// Entries that there is room for: a tenth of the keys.
const ROOM: usize = 10_000;
/// Percent points that chance moves from run to run.
const CHANCE: f64 = 0.2;

/// The table and goals.
pub(crate) fn run(effort: Effort) -> String {
    let traces = [
        ("zipf 0.9", traces::zipf(0.9, effort.accesses)),
        ("zipf 1.1", traces::zipf(1.1, effort.accesses)),
        ("zipf 1.0 with scans", traces::scanned(effort.accesses)),
        ("loop", traces::looped(ROOM, effort.accesses)),
    ];
    let names: Vec<_> = traces.iter().map(|(name, _)| *name).collect();
    let mut table = Table::new(&[&["hits of 100"], names.as_slice()].concat());
    let mut all = Vec::new();
    for make in MAKERS.iter().filter(|make| make(1_000).evicts()) {
        let ratios: Vec<f64> = traces.iter().map(|(_, trace)| percent(*make, trace)).collect();
        let name = make(1_000).name().to_owned();
        let cells = ratios.iter().map(|ratio| format!("{ratio:.1}"));
        table.row(&[vec![name.clone()], cells.collect()].concat());
        all.push((name, ratios));
    }
    let ours = all[0].1.clone();
    let moka = all.iter().filter(|(name, _)| name.starts_with("moka"));
    let moka: Vec<_> = moka.map(|(_, ratios)| ratios.clone()).collect();
    let goals = names.iter().enumerate().map(|(at, name)| {
        let best = moka.iter().map(|ratios| ratios[at]).fold(0.0, f64::max);
        let what = format!("{name}: {:+.1} points to moka's, not below it", ours[at] - best);
        goal(&what, || ours[at] >= best - CHANCE)
    });
    format!("{}\n{}", table.text(), goals.collect::<String>())
}

fn percent(make: fn(usize) -> Box<dyn crate::caches::Peer>, trace: &[u64]) -> f64 {
    let cache = make(ROOM);
    let mut hits = 0;
    for key in trace {
        if cache.has(*key) {
            hits += 1;
        } else {
            cache.insert(*key);
        }
    }
    hits as f64 * 100.0 / trace.len() as f64
}
