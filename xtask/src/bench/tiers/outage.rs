//! What becomes of hits from memory and from disk when Redis stalls or dies.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::outcome::Outcome;

use crate::bench::report::{Table, goal, median};
use crate::bench::servers::{self, Server};
use crate::bench::{Effort, fixed_rate, keep_alive};

const RATE: u32 = 10_000;
const PATH: &str = "/1024/0";
const MISSES: usize = 200;
/// Until Redis is used again after it was paused.
const RECOVERY: Duration = Duration::from_secs(2);

pub(super) fn run(program: &Path, origin: &Server, effort: Effort) -> Outcome<String> {
    let store = servers::redis("bench-redis-outage")?;
    let forebay = servers::forebay_redis(program, origin, store.port, "64MiB")?;
    keep_alive::fill(forebay.port, &[PATH.to_owned()])?;
    let mut hits = [Vec::new(), Vec::new(), Vec::new()];
    let mut misses = [0.0; 3];
    for round in 0..effort.rounds {
        hits[0].push(p99(&forebay, effort)?);
        store.pause()?;
        if round == 0 {
            // The first of them meet a Redis that was well a moment ago.
            misses[1] = slowest_miss(&forebay, "stalled")?;
        }
        hits[1].push(p99(&forebay, effort)?);
        store.resume()?;
        std::thread::sleep(RECOVERY);
    }
    misses[0] = slowest_miss(&forebay, "well")?;
    drop(store);
    misses[2] = slowest_miss(&forebay, "dead")?;
    for _ in 0..effort.rounds {
        hits[2].push(p99(&forebay, effort)?);
    }
    Ok(section(hits.map(|p99s| median(&p99s)), misses))
}

/// The longest of many misses, one after the other, in milliseconds.
fn slowest_miss(server: &Server, name: &str) -> Outcome<f64> {
    let mut client = keep_alive::Client::connect(server.port)?;
    let mut slowest = 0.0_f64;
    for number in 0..MISSES {
        let begin = Instant::now();
        client.exchange(&format!("/1024/{name}/{number}"))?;
        slowest = slowest.max(begin.elapsed().as_secs_f64() * 1e3);
    }
    println!("the slowest of {MISSES} misses, Redis {name}: {slowest:.1} ms");
    Ok(slowest)
}

fn p99(server: &Server, effort: Effort) -> Outcome<f64> {
    let latency = fixed_rate::run(server.port, PATH, RATE, effort.round)?;
    Ok(latency.p99.as_secs_f64() * 1e6)
}

fn section(hits: [f64; 3], misses: [f64; 3]) -> String {
    let mut table = Table::new(&[
        "Redis",
        "p99 of a hit from memory, µs",
        "to before",
        "slowest of 200 misses, ms",
    ]);
    for (name, (p99, miss)) in ["answers", "stalls", "is dead"].iter().zip(hits.iter().zip(misses))
    {
        table.row(&[
            (*name).to_owned(),
            format!("{p99:.0}"),
            format!("{:.2}", p99 / hits[0]),
            format!("{miss:.1}"),
        ]);
    }
    format!(
        "A Redis that dies, under {RATE} requests a second for what memory has, and with misses one \
         after the other.\n\n{}\n{}{}",
        table.text(),
        goal("p99 of a hit within 10 % of before", || hits[1].max(hits[2]) <= 1.1 * hits[0]),
        goal("no miss waits for a second more", || misses[1].max(misses[2]) < misses[0] + 1e3),
    )
}
