//! Answers from disk, with a warm and a cold page cache, and how fast it is filled.
//!
//! Memory is kept so small that it answers next to nothing; the tables say how much came from disk.

use std::path::Path;
use std::time::Instant;

use crate::outcome::Outcome;

use crate::bench::report::{Table, goal, median};
use crate::bench::servers::{self, Server};
use crate::bench::wrk::{self, Paths};
use crate::bench::{Effort, keep_alive};

/// Length of a body, and how many of them: far more than memory holds.
const CASES: &[(usize, usize)] = &[(8_192, 20_000), (1_048_576, 256)];

/// Forebay and nginx over one case.
struct Row {
    size: usize,
    keys: usize,
    fill: [f64; 2],
    warm: [f64; 2],
    cold: Option<[f64; 2]>,
    from_disk: f64,
}

pub(super) fn run(program: &Path, origin: &Server, effort: Effort) -> Outcome<String> {
    let mut rows = Vec::new();
    for (size, keys) in CASES {
        rows.push(case(program, origin, *size, *keys, effort)?);
    }
    Ok(section(&rows, effort))
}

fn case(program: &Path, origin: &Server, size: usize, keys: usize, effort: Effort) -> Outcome<Row> {
    let forebay = servers::forebay_disk(program, origin)?;
    let nginx = servers::nginx_cache_on_disk(origin)?;
    let both = [&forebay, &nginx.server];
    let paths = Paths { prefix: format!("/{size}/"), keys };
    let fill = each(&both, |server| pass(server, &paths))?;
    // What was dropped because the disk was behind is asked for again.
    each(&both, |server| pass(server, &paths))?;
    let before = forebay.metric("forebay_tier_look_ups_total{tier=\"disk\",result=\"hit\"}")?;
    let asked = forebay.metric("forebay_requests_total")?;
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..effort.rounds {
        for (server, rates) in both.iter().zip(&mut measured) {
            let rate = wrk::run(server.port, &paths, effort.round)?;
            println!("{size} bytes from disk: {} {rate:.0}/s", server.name);
            rates.push(rate);
        }
    }
    let hits = forebay.metric("forebay_tier_look_ups_total{tier=\"disk\",result=\"hit\"}")?;
    let asked = forebay.metric("forebay_requests_total")? - asked;
    let warm = measured.map(|rates| median(&rates));
    let cold = match servers::drop_page_cache() {
        true => Some(each(&both, |server| {
            servers::drop_page_cache();
            pass(server, &paths)
        })?),
        false => None,
    };
    Ok(Row { size, keys, fill, warm, cold, from_disk: (hits - before) / asked.max(1.0) })
}

fn each(
    both: &[&Server; 2],
    mut measure: impl FnMut(&Server) -> Outcome<f64>,
) -> Outcome<[f64; 2]> {
    Ok([measure(both[0])?, measure(both[1])?])
}

/// Asks for every path once; answers a second.
fn pass(server: &Server, paths: &Paths) -> Outcome<f64> {
    let begin = Instant::now();
    keep_alive::fill(server.port, &paths.all())?;
    let rate = paths.keys as f64 / begin.elapsed().as_secs_f64();
    println!("{} once each: {} {rate:.0}/s", paths.prefix, server.name);
    Ok(rate)
}

fn section(rows: &[Row], effort: Effort) -> String {
    let mut table = Table::new(&[
        "body",
        "keys",
        "from",
        "Forebay /s",
        "nginx /s",
        "to nginx",
        "answered from disk",
    ]);
    for row in rows {
        let mut line = |from: &str, rates: [f64; 2], share: String| {
            table.row(&[
                format!("{} KiB", row.size / 1024),
                row.keys.to_string(),
                from.to_owned(),
                format!("{:.0}", rates[0]),
                format!("{:.0}", rates[1]),
                format!("{:.2}", rates[0] / rates[1]),
                share,
            ]);
        };
        line("page cache", row.warm, format!("{:.0} %", row.from_disk * 100.0));
        if let Some(cold) = row.cold {
            line("disk, page cache dropped, each once", cold, "all".to_owned());
        }
        line("origin, while it is written", row.fill, "none".to_owned());
    }
    let reached = |which: fn(&Row) -> Option<[f64; 2]>| {
        rows.iter().filter_map(which).all(|rates| rates[0] >= rates[1])
    };
    format!(
        "`cargo xtask bench tiers`, disk: server on core 0 with one worker, client on core 1, medians \
         of {} alternating\nrounds of {} s; 4 MiB of memory, nginx's proxy_cache on the same disk.\n\n{}\n{}{}",
        effort.rounds,
        effort.round.as_secs(),
        table.text(),
        goal("not below nginx from the page cache", || reached(|row| Some(row.warm))),
        goal("not below nginx from disk", || reached(|row| row.cold)),
    )
}
