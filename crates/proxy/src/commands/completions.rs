//! `forebay completions`: prints completions for a shell.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};

/// Prints the completions on standard output.
pub fn run(args: &CompletionsArgs) -> ExitCode {
    clap_complete::generate(args.shell, &mut Cli::command(), "forebay", &mut std::io::stdout());
    ExitCode::SUCCESS
}
