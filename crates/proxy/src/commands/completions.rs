//! `forebay completions`: prints completions for a shell.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};

/// Prints the completions on standard output.
pub fn run(args: &CompletionsArgs) -> ExitCode {
    // Into memory first: the generator panics when its writer is a pipe that was closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "forebay", &mut script);
    match stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
