//! The crate beside other caches in memory. Prints Markdown; `cargo xtask bench crate` runs it.
//!
//! Rounds alternate between the caches and the median counts; what is timed is a thread's time on a
//! processor, so that a busy machine counts less. Nothing asserts a time: goals are printed as met or
//! missed.

mod bytes;
mod caches;
mod hits;
mod loads;
mod ratio;
mod table;
mod traces;

use std::alloc::System;

use cap::Cap;

/// Counts what is allocated; a hit allocates nothing.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// How much of everything.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    hits: u64,
    accesses: usize,
}

const THOROUGH: Effort = Effort { rounds: 5, hits: 1_000_000, accesses: 500_000 };
/// To see that all of it works.
const QUICK: Effort = Effort { rounds: 3, hits: 300_000, accesses: 200_000 };

fn main() {
    let effort = match std::env::args().nth(1).as_deref() {
        Some("--quick") => QUICK,
        Some(_) | None => THOROUGH,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be had");
    let _within = runtime.enter();
    println!("{}", hits::run(effort));
    println!("{}", ratio::run(effort));
    println!("{}", bytes::run());
    println!("{}", runtime.block_on(loads::run()));
}
