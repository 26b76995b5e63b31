//! Answers from Redis, beside nginx with Lua that keeps whole responses in Redis.

use std::path::Path;

use crate::outcome::Outcome;
use crate::tools;

use crate::bench::report::{Table, goal, median};
use crate::bench::servers::{self, Server};
use crate::bench::wrk::{self, Paths};
use crate::bench::{Effort, keep_alive};

/// Far more than four MiB of memory hold.
const KEYS: usize = 20_000;
const SIZE: usize = 4_096;

pub(super) fn run(program: &Path, origin: &Server, effort: Effort) -> Outcome<String> {
    tools::need(&[tools::NGINX_LUA, tools::LUA_REDIS, tools::LUA_JSON])?;
    let store = servers::redis("bench-redis")?;
    let forebay = servers::forebay_redis(program, origin, store.port, "4MiB")?;
    let nginx = servers::nginx_lua_redis(origin, store.port)?;
    let paths = Paths { prefix: format!("/{SIZE}/"), keys: KEYS };
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
            println!("{SIZE} bytes from Redis: {} {rate:.0}/s", server.name);
            rates.push(rate);
        }
    }
    let hits = forebay.metric(name)? - before;
    let share = hits / (forebay.metric("forebay_requests_total")? - asked).max(1.0);
    let [ours, theirs] = measured.map(|rates| median(&rates));
    Ok(section(ours, theirs, share))
}

fn section(ours: f64, theirs: f64, share: f64) -> String {
    let mut table = Table::new(&[
        "body",
        "keys",
        "Forebay /s",
        "nginx, Lua and Redis /s",
        "ratio",
        "answered from Redis",
    ]);
    table.row(&[
        format!("{} KiB", SIZE / 1024),
        KEYS.to_string(),
        format!("{ours:.0}"),
        format!("{theirs:.0}"),
        format!("{:.2}", ours / theirs),
        format!("{:.0} %", share * 100.0),
    ]);
    format!(
        "Redis: redis-server shares the client's core, for both alike; nginx keeps connections to \
         it.\n\n{}\n{}",
        table.text(),
        goal("at least five times nginx with Lua and Redis", || ours >= 5.0 * theirs)
    )
}
