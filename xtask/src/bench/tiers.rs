//! `bench tiers`: answers from disk beside nginx's proxy_cache on disk, and from Redis beside nginx
//! with Lua; what is written, what a restart costs, and what a dying Redis does to hits.

mod disk;
mod outage;
mod redis;
mod restart;

use crate::outcome::Outcome;
use crate::program;
use crate::tools;

use super::Effort;
use super::servers;

/// What this bench needs beside what all of them do.
pub(crate) const NEEDED: &[tools::SystemProgram] = &[tools::REDIS];

/// Measures, and returns the section for the page.
pub(crate) fn run(effort: Effort) -> Outcome<String> {
    tools::need(NEEDED)?;
    let program = program::release()?;
    let origin = servers::origin()?;
    let parts = [
        disk::run(&program, &origin, effort)?,
        redis::run(&program, &origin, effort)?,
        outage::run(&program, &origin, effort)?,
        restart::run(&program, &origin, effort)?,
    ];
    Ok(parts.join("\n"))
}
