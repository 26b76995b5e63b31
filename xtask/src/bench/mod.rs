//! `cargo xtask bench`: beside nginx, Varnish and HAProxy, in the same run.
//!
//! The server has core 0, the client core 1; rounds alternate between the servers, and the median
//! counts. A machine moves by a fifth from minute to minute: trust the ratios. Nothing here asserts
//! a time; goals are printed as met or missed.

mod beside;
mod fixed_rate;
mod hit;
mod keep_alive;
mod memory;
mod pass;
mod purge;
mod report;
mod routes;
mod servers;
mod tiers;
mod wrk;

use std::time::Duration;

use crate::outcome::{Outcome, fail};
use crate::tools;

pub(crate) use fixed_rate::serve_command as fixed_rate_client;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    rounds: usize,
    round: Duration,
}

const THOROUGH: Effort = Effort { rounds: 5, round: Duration::from_secs(4) };
const QUICK_ROUNDS: usize = 2;
/// To see that all of it works.
const QUICK: Effort = Effort { rounds: QUICK_ROUNDS, round: Duration::from_secs(1) };

impl Effort {
    fn is_quick(self) -> bool {
        self.rounds <= QUICK_ROUNDS
    }
}

/// Where the tables go besides the terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nowhere,
    Page,
}

/// Runs what the options ask for.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let [what, options @ ..] = options else {
        return fail("bench needs a word: hit, pass, memory, tiers, purge, routes, crate or all");
    };
    let mut effort = THOROUGH;
    let mut keep = Keep::Nowhere;
    for option in options {
        match *option {
            "--quick" => effort = QUICK,
            "--write" => keep = Keep::Page,
            unknown => return fail(format!("no option `{unknown}` of bench: --quick, --write")),
        }
    }
    // It needs none of what the others measure beside.
    if *what == "crate" {
        return keep_section(keep, "crate", &beside::run(effort)?);
    }
    tools::need(&[tools::NGINX, tools::VARNISH, tools::HAPROXY, tools::WRK, tools::TASKSET])?;
    match *what {
        "hit" => keep_section(keep, "hit", &hit::run(effort)?),
        "pass" => keep_section(keep, "pass", &pass::run(effort)?),
        "memory" => keep_section(keep, "memory", &memory::run()?),
        "tiers" => keep_section(keep, "tiers", &tiers::run(effort)?),
        "purge" => keep_section(keep, "purge", &purge::run(effort)?),
        "routes" => keep_section(keep, "routes", &routes::run(effort)?),
        "all" => {
            keep_section(keep, "hit", &hit::run(effort)?)?;
            keep_section(keep, "pass", &pass::run(effort)?)?;
            keep_section(keep, "memory", &memory::run()?)?;
            keep_section(keep, "tiers", &tiers::run(effort)?)?;
            keep_section(keep, "purge", &purge::run(effort)?)?;
            keep_section(keep, "routes", &routes::run(effort)?)?;
            keep_section(keep, "crate", &beside::run(effort)?)
        }
        unknown => fail(format!(
            "no `bench {unknown}`: hit, pass, memory, tiers, purge, routes, crate or all"
        )),
    }
}

fn keep_section(keep: Keep, name: &str, tables: &str) -> Outcome {
    println!("\n{tables}");
    match keep {
        Keep::Nowhere => Ok(()),
        Keep::Page => report::write(name, tables),
    }
}
