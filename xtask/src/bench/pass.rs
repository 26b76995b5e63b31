//! `bench pass`: what may not be kept, through Forebay, nginx and HAProxy to one origin.
//!
//! The origin shares the client's core, for all three alike.

use crate::outcome::Outcome;
use crate::program;

use super::Effort;
use super::report::{Table, goal, median};
use super::servers::{self, Server};
use super::wrk::{self, Paths};

const SIZES: &[usize] = &[1024, 16_384];

/// Measures, and returns the section for the page.
pub(crate) fn run(effort: Effort) -> Outcome<String> {
    let program = program::release()?;
    let origin = servers::origin()?;
    let forebay = servers::forebay_cache(&program, &origin)?;
    let nginx = servers::nginx_pass(&origin)?;
    let haproxy = servers::haproxy_pass(&origin)?;
    let mut rows = Vec::new();
    for size in SIZES {
        rows.push((*size, rates(&[&forebay, &nginx, &haproxy], *size, effort)?));
    }
    Ok(section(&rows, effort))
}

fn rates(all: &[&Server], size: usize, effort: Effort) -> Outcome<Vec<f64>> {
    let paths = Paths { prefix: format!("/pass/{size}/"), keys: 1 };
    let mut measured = vec![Vec::new(); all.len()];
    for _ in 0..effort.rounds {
        for (server, rates) in all.iter().zip(&mut measured) {
            let rate = wrk::run(server.port, &paths, effort.round)?;
            println!("{size} bytes passed: {} {rate:.0}/s", server.name);
            rates.push(rate);
        }
    }
    Ok(measured.iter().map(|rates| median(rates)).collect())
}

fn section(rows: &[(usize, Vec<f64>)], effort: Effort) -> String {
    let mut table =
        Table::new(&["body", "Forebay /s", "nginx /s", "HAProxy /s", "to nginx", "to HAProxy"]);
    let ratio = |rates: &[f64], peer: usize| match (rates.first(), rates.get(peer)) {
        (Some(ours), Some(theirs)) => ours / theirs,
        _ => f64::NAN,
    };
    for (size, rates) in rows {
        let mut cells = vec![format!("{} KiB", size / 1024)];
        cells.extend(rates.iter().map(|rate| format!("{rate:.0}")));
        cells.extend([1, 2].map(|peer| format!("{:.2}", ratio(rates, peer))));
        table.row(&cells);
    }
    format!(
        "`cargo xtask bench pass`: server on core 0 with one worker, client and origin on core 1, \
         64\nconnections, medians of {} alternating rounds of {} s.\n\n{}\n{}",
        effort.rounds,
        effort.round.as_secs(),
        table.text(),
        goal("not below nginx with upstream keep-alive", || {
            rows.iter().all(|(_, rates)| ratio(rates, 1) >= 1.0)
        })
    )
}
