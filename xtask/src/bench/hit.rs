//! `bench hit`: answers from memory, beside nginx's proxy_cache, as it comes and with its
//! files held open, and Varnish.

use crate::outcome::Outcome;
use crate::program;

use super::keep_alive;
use super::report::{Table, goal, median};
use super::servers::{self, OpenFiles, Server};
use super::wrk::{self, Paths};
use super::{Effort, fixed_rate};

const SIZES: &[usize] = &[1024, 16_384, 262_144];
const KEYS_MAX: usize = 10_000;
/// Of all bodies together, so that many keys of a large size still fit into every cache.
const BODIES_BYTES_MAX: usize = 256 << 20;
const FIXED_RATE: u32 = 20_000;

/// Forebay and its peers over one case: medians of requests a second.
struct Row {
    size: usize,
    keys: usize,
    rates: Vec<f64>,
    origin_requests: u64,
}

/// Measures, and returns the section for the page.
pub(crate) fn run(effort: Effort) -> Outcome<String> {
    let program = program::release()?;
    let origin = servers::origin()?;
    let forebay = servers::forebay_cache(&program, &origin)?;
    let nginx = servers::nginx_cache(&origin, OpenFiles::AsItComes)?;
    let held = servers::nginx_cache(&origin, OpenFiles::Held)?;
    let varnish = servers::varnish(&origin)?;
    let all = [&forebay, &nginx.server, &varnish, &held.server];
    let mut rows = Vec::new();
    for size in SIZES {
        for keys in [1, KEYS_MAX.min(BODIES_BYTES_MAX / size)] {
            rows.push(rates(&all, &origin, *size, keys, effort)?);
        }
    }
    let latencies = latencies(&all, effort)?;
    Ok(section(&rows, &latencies, effort))
}

fn rates(
    all: &[&Server],
    origin: &Server,
    size: usize,
    keys: usize,
    effort: Effort,
) -> Outcome<Row> {
    let paths = Paths { prefix: format!("/{size}/"), keys };
    for server in all {
        // Twice, for caches that take in only what is asked for again.
        keep_alive::fill(server.port, &paths.all())?;
        keep_alive::fill(server.port, &paths.all())?;
    }
    let before = servers::origin_requests(origin)?;
    let mut measured = vec![Vec::new(); all.len()];
    for _ in 0..effort.rounds {
        for (server, rates) in all.iter().zip(&mut measured) {
            let rate = wrk::run(server.port, &paths, effort.round)?;
            println!("{size} bytes, {keys} keys: {} {rate:.0}/s", server.name);
            rates.push(rate);
        }
    }
    // Less the question itself.
    let origin_requests = servers::origin_requests(origin)? - before - 1;
    Ok(Row { size, keys, rates: measured.iter().map(|it| median(it)).collect(), origin_requests })
}

/// Medians of p50 and p99 in microseconds, one pair a server.
fn latencies(all: &[&Server], effort: Effort) -> Outcome<Vec<(&'static str, f64, f64)>> {
    let mut measured = vec![(Vec::new(), Vec::new()); all.len()];
    for _ in 0..effort.rounds {
        for (server, (p50s, p99s)) in all.iter().zip(&mut measured) {
            let latency = fixed_rate::run(server.port, "/1024/0", FIXED_RATE, effort.round)?;
            println!("{FIXED_RATE}/s: {} {latency:?}", server.name);
            p50s.push(latency.p50.as_secs_f64() * 1e6);
            p99s.push(latency.p99.as_secs_f64() * 1e6);
        }
    }
    let pair = |(server, (p50s, p99s)): (&&Server, &(Vec<f64>, Vec<f64>))| {
        (server.name, median(p50s), median(p99s))
    };
    Ok(all.iter().zip(&measured).map(pair).collect())
}

fn section(rows: &[Row], latencies: &[(&str, f64, f64)], effort: Effort) -> String {
    let mut table = Table::new(&[
        "body",
        "keys",
        "Forebay /s",
        "nginx /s",
        "Varnish /s",
        "nginx, open_file_cache /s",
        "to nginx",
        "to Varnish",
        "to nginx, open_file_cache",
        "asked of the origin meanwhile",
    ]);
    for row in rows {
        let mut cells = vec![format!("{} KiB", row.size / 1024), row.keys.to_string()];
        cells.extend(row.rates.iter().map(|rate| format!("{rate:.0}")));
        cells.extend([row.ratio(1), row.ratio(2), row.ratio(3)].map(|ratio| format!("{ratio:.2}")));
        cells.push(row.origin_requests.to_string());
        table.row(&cells);
    }
    let mut slow = Table::new(&["1 KiB at 20 000 requests a second", "p50 µs", "p99 µs"]);
    for (name, p50, p99) in latencies {
        slow.row(&[(*name).to_owned(), format!("{p50:.0}"), format!("{p99:.0}")]);
    }
    format!(
        "`cargo xtask bench hit`: server on core 0 with one worker, client on core 1, 64 \
         connections,\nmedians of {} alternating rounds of {} s; latency counts from when a request \
         was due.\n\n{}\n{}\n{}",
        effort.rounds,
        effort.round.as_secs(),
        table.text(),
        slow.text(),
        goals(rows, latencies)
    )
}

impl Row {
    fn ratio(&self, peer: usize) -> f64 {
        match self.rates[..] {
            [ours, ref peers @ ..] => ours / peers.get(peer - 1).copied().unwrap_or(f64::NAN),
            [] => f64::NAN,
        }
    }
}

fn goals(rows: &[Row], latencies: &[(&str, f64, f64)]) -> String {
    let of = |size: usize| rows.iter().filter(move |row| row.size == size);
    let p99 = |server: usize| latencies.get(server).map_or(f64::NAN, |(_, _, p99)| *p99);
    let mut goals = String::new();
    goals += &goal("at least 1.5 times nginx at 1 KiB", || of(1024).all(|row| row.ratio(1) >= 1.5));
    goals +=
        &goal("at least 2.5 times Varnish at 1 KiB", || of(1024).all(|row| row.ratio(2) >= 2.5));
    goals += &goal("not below nginx at 256 KiB", || of(262_144).all(|row| row.ratio(1) >= 1.0));
    goals += &goal("p99 at 20 000 requests a second not above nginx's", || p99(0) <= p99(1));
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_ours_to_the_peer_and_goals_need_every_row() {
        let row = |size, rates: [f64; 3]| Row {
            size,
            keys: 1,
            rates: rates.to_vec(),
            origin_requests: 0,
        };
        let rows = [row(1024, [300.0, 100.0, 50.0]), row(262_144, [99.0, 100.0, 100.0])];
        let latencies = [("Forebay", 10.0, 20.0), ("nginx", 10.0, 30.0), ("Varnish", 10.0, 90.0)];
        let goals = goals(&rows, &latencies);
        assert_eq!(goals.matches("**met**").count(), 3, "{goals}");
        assert!(goals.contains("not below nginx at 256 KiB: **MISSED**"), "{goals}");
    }
}
