//! Answers from Redis, beside nginx with Lua that keeps whole responses in Redis.

use std::path::Path;

use crate::outcome::Outcome;
use crate::tools;

use crate::bench::report::{Table, goal, median};
use crate::bench::servers::{self, Server};
use crate::bench::wrk::{self, Paths};
use crate::bench::{Effort, keep_alive};

/// Length of a body, and how many of them: far more than four MiB of memory hold.
const CASES: &[(usize, usize)] = &[(4_096, 20_000), (65_536, 2_000)];

/// Forebay and nginx over one case.
struct Row {
    size: usize,
    keys: usize,
    rates: [f64; 2],
    from_redis: f64,
}

pub(super) fn run(program: &Path, origin: &Server, effort: Effort) -> Outcome<String> {
    tools::need(&[tools::NGINX_LUA, tools::LUA_REDIS, tools::LUA_JSON])?;
    let mut rows = Vec::new();
    for (size, keys) in CASES {
        rows.push(case(program, origin, *size, *keys, effort)?);
    }
    Ok(section(&rows))
}

fn case(program: &Path, origin: &Server, size: usize, keys: usize, effort: Effort) -> Outcome<Row> {
    let store = servers::redis("bench-redis")?;
    let forebay = servers::forebay_redis(program, origin, store.port, "4MiB")?;
    let nginx = servers::nginx_lua_redis(origin, store.port)?;
    let paths = Paths { prefix: format!("/{size}/"), keys };
    for server in [&forebay, &nginx] {
        // Twice: what was not stored behind its answer the first time is by then.
        keep_alive::fill(server.port, &paths.all())?;
        keep_alive::fill(server.port, &paths.all())?;
    }
    let name = "forebay_tier_look_ups_total{tier=\"redis\",result=\"hit\"}";
    let (before, asked) = (forebay.metric(name)?, forebay.metric("forebay_requests_total")?);
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..effort.rounds {
        for (server, rates) in [&forebay, &nginx].iter().zip(&mut measured) {
            let rate = wrk::run(server.port, &paths, effort.round)?;
            println!("{size} bytes from Redis: {} {rate:.0}/s", server.name);
            rates.push(rate);
        }
    }
    let hits = forebay.metric(name)? - before;
    let from_redis = hits / (forebay.metric("forebay_requests_total")? - asked).max(1.0);
    Ok(Row { size, keys, rates: measured.map(|rates| median(&rates)), from_redis })
}

fn section(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        "body",
        "keys",
        "Forebay /s",
        "nginx, Lua and Redis /s",
        "ratio",
        "answered from Redis",
    ]);
    let mut goals = String::new();
    for row in rows {
        let (size, [ours, theirs]) = (format!("{} KiB", row.size / 1024), row.rates);
        table.row(&[
            size.clone(),
            row.keys.to_string(),
            format!("{ours:.0}"),
            format!("{theirs:.0}"),
            format!("{:.2}", ours / theirs),
            format!("{:.0} %", row.from_redis * 100.0),
        ]);
        let what = format!("at least five times nginx with Lua and Redis at {size}");
        goals.push_str(&goal(&what, || ours >= 5.0 * theirs));
    }
    format!(
        "Redis: redis-server shares the client's core, for both alike; nginx keeps connections to \
         it.\n\n{}\n{goals}",
        table.text()
    )
}
