//! The program `forebay`: reads the command line and does what it says.

use std::process::ExitCode;

use clap::Parser;
use forebay::cli::{Cli, Command};
use forebay::commands;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => commands::run::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    }
}
