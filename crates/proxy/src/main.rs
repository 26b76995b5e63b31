//! The program `forebay`: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser;
use forebay::cli::{Cli, Command};
use forebay::commands;

// Stored heads and bodies live long among much that lives short. The system's allocator leaves holes
// between them: 790 bytes an entry of 1 KiB beyond its own, with this one 381
// (`cargo xtask bench memory`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => commands::run::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Reload(args) => commands::life::reload(&args),
        Command::Upgrade(args) => commands::life::upgrade(&args),
        Command::Purge(args) => commands::purge::run(&args),
        Command::Why(args) => commands::why::run(&args),
        Command::Routes(args) => commands::routes::run(&args),
        Command::Top(args) => commands::top::run(&args),
        Command::Warm(args) => commands::warm::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    }
}
