//! `bench memory`: what the process holds against what it was told to keep.

use crate::outcome::{Outcome, fail};
use crate::program;

use super::keep_alive::{self, Client};
use super::report::{Table, goal};
use super::servers::{self, SIZES, Server};

const BOUND_MIB: u32 = 64;
/// Bodies that are sent through, as a multiple of the bound.
const FILLS: usize = 6;
const ROOM_PER_CENT: u64 = 15;
/// What the process may hold beside the cache: code, buffers of connections, the allocator's own.
const BASE_MIB: u64 = 24;
const ENTRIES: usize = 50_000;
const ENTRIES_BOUND_MIB: u32 = 512;
const ENTRY_OVERHEAD_BYTES_MAX: f64 = 600.0;
const MIB: u64 = 1 << 20;

/// Measures, and returns the section for the page.
pub(crate) fn run() -> Outcome<String> {
    let program = program::release()?;
    let origin = servers::origin()?;
    let mixed = servers::forebay(&program, &origin, BOUND_MIB)?;
    let peak = mixed_sizes(&mixed)?;
    drop(mixed);
    let small = servers::forebay(&program, &origin, ENTRIES_BOUND_MIB)?;
    let overhead = one_size(&small, &origin)?;
    Ok(section(peak, overhead))
}

/// The highest resident memory while a mix of sizes several times the bound goes through.
fn mixed_sizes(server: &Server) -> Outcome<Peak> {
    let mut peak = Peak { start: server.resident_bytes()?, highest: 0 };
    let bytes_a_turn: usize = SIZES.iter().sum();
    let turns = FILLS * BOUND_MIB as usize * MIB as usize / bytes_a_turn;
    for turn in 0..turns {
        // Small ones are more frequent, as they are everywhere: 64 of 100 bytes to one of 1 MiB.
        let paths = SIZES.iter().rev().enumerate().flat_map(|(rank, size)| {
            (0..1_usize << rank).map(move |copy| format!("/{size}/{turn}-{copy}"))
        });
        keep_alive::fill(server.port, &paths.collect::<Vec<_>>())?;
        peak.highest = peak.highest.max(server.resident_bytes()?);
    }
    Ok(peak)
}

/// Bytes of resident memory.
#[derive(Clone, Copy)]
struct Peak {
    start: u64,
    highest: u64,
}

impl Peak {
    fn allowed() -> u64 {
        u64::from(BOUND_MIB) * MIB * (100 + ROOM_PER_CENT) / 100 + BASE_MIB * MIB
    }
}

/// What an entry of 1 KiB costs beyond the bytes of its head and body.
fn one_size(server: &Server, origin: &Server) -> Outcome<f64> {
    let paths: Vec<String> = (0..ENTRIES).map(|key| format!("/1024/{key}")).collect();
    let kept = Client::connect(origin.port)?.exchange("/1024/0")?;
    // What is allocated once, on the first requests, is no entry's.
    let warm: Vec<String> = (0..200).map(|key| format!("/1024/warm-{key}")).collect();
    keep_alive::fill(server.port, &warm)?;
    let before = server.resident_bytes()?;
    keep_alive::fill(server.port, &paths)?;
    let growth = server.resident_bytes()?.saturating_sub(before);
    let asked = servers::origin_requests(origin)?;
    keep_alive::fill(server.port, &paths)?;
    let missed = servers::origin_requests(origin)? - asked - 1;
    if missed > ENTRIES as u64 / 100 {
        return fail(format!("{missed} of {ENTRIES} entries were not kept: nothing to measure"));
    }
    let kept_bytes = (kept.head_bytes + kept.body_bytes) as f64;
    Ok(growth as f64 / (ENTRIES as u64 - missed) as f64 - kept_bytes)
}

fn section(peak: Peak, overhead: f64) -> String {
    let mut table = Table::new(&["what", "measured", "goal"]);
    table.row(&[
        format!("resident memory, bound {BOUND_MIB} MiB, {FILLS} times as much sent through"),
        format!("{} MiB (at the start {} MiB)", peak.highest / MIB, peak.start / MIB),
        format!(
            "at most {} MiB: bound + {ROOM_PER_CENT} % + {BASE_MIB} MiB",
            Peak::allowed() / MIB
        ),
    ]);
    table.row(&[
        format!("an entry of 1 KiB beyond its head and body ({ENTRIES} entries)"),
        format!("{overhead:.0} bytes"),
        format!("at most {ENTRY_OVERHEAD_BYTES_MAX:.0} bytes"),
    ]);
    let goals = [
        goal("resident memory stays within the bound and its room", || {
            peak.highest <= Peak::allowed()
        }),
        goal("an entry costs at most 600 bytes beyond what it keeps", || {
            overhead <= ENTRY_OVERHEAD_BYTES_MAX
        }),
    ];
    format!(
        "`cargo xtask bench memory`: bodies of 100 bytes to 1 MiB.\n\n{}\n{}",
        table.text(),
        goals.concat()
    )
}
