//! What becomes of hits from memory and from disk when Redis stalls or dies.

use std::path::Path;

use crate::outcome::Outcome;

use crate::bench::report::{Table, goal, median};
use crate::bench::servers::{self, Server};
use crate::bench::{Effort, fixed_rate, keep_alive};

const RATE: u32 = 10_000;
const PATH: &str = "/1024/0";

pub(super) fn run(program: &Path, origin: &Server, effort: Effort) -> Outcome<String> {
    let store = servers::redis("bench-redis-outage")?;
    let forebay = servers::forebay_redis(program, origin, store.port, "64MiB")?;
    keep_alive::fill(forebay.port, &[PATH.to_owned()])?;
    let mut p99s = [Vec::new(), Vec::new()];
    for _ in 0..effort.rounds {
        p99s[0].push(p99(&forebay, effort)?);
        store.pause()?;
        p99s[1].push(p99(&forebay, effort)?);
        store.resume()?;
    }
    drop(store);
    let dead = (0..effort.rounds).map(|_| p99(&forebay, effort)).collect::<Outcome<Vec<_>>>()?;
    let [well, stalled] = p99s.map(|p99s| median(&p99s));
    Ok(section(well, stalled, median(&dead)))
}

fn p99(server: &Server, effort: Effort) -> Outcome<f64> {
    let latency = fixed_rate::run(server.port, PATH, RATE, effort.round)?;
    Ok(latency.p99.as_secs_f64() * 1e6)
}

fn section(well: f64, stalled: f64, dead: f64) -> String {
    let mut table = Table::new(&["Redis", "p99 of a hit from memory, µs", "to before"]);
    for (name, p99) in [("answers", well), ("stalls", stalled), ("is dead", dead)] {
        table.row(&[name.to_owned(), format!("{p99:.0}"), format!("{:.2}", p99 / well)]);
    }
    format!(
        "A Redis that dies, under {RATE} requests a second for what memory has.\n\n{}\n{}",
        table.text(),
        goal("p99 within 10 % of before", || stalled.max(dead) <= 1.1 * well)
    )
}
