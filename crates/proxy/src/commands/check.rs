//! `forebay check`: says all that is wrong with a configuration file, or what it means.

use std::process::ExitCode;

use crate::cli::CheckArgs;

/// Checks the file; 0 when it is fine, 1 when it has problems, 2 when it cannot be read.
pub fn run(args: &CheckArgs) -> ExitCode {
    unimplemented!("{args:?}")
}
