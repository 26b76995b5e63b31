//! `cargo xtask fuzz`: the fuzz targets on stable Rust, by the mutation runner in `fuzz/`.
//!
//! libFuzzer, which sees coverage, needs nightly; `fuzz/README.md` says how to run it there.

use std::path::PathBuf;
use std::process::Command;

use crate::outcome::{Outcome, fail};
use crate::process;
use crate::workspace;

const SMOKE_SECONDS: &str = "10";

/// Builds the runner and hands it the options.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let program = runner()?;
    process::run(Command::new(program).current_dir(workspace::root()).args(options))
}

/// Every target for a few seconds.
pub(crate) fn smoke() -> Outcome<String> {
    let mut command = Command::new(runner()?);
    command.current_dir(workspace::root()).args(["--seconds", SMOKE_SECONDS]);
    let (printed, outcome) = process::show_and_keep(&mut command)?;
    let targets = printed.lines().filter(|line| line.starts_with("fuzz ")).count();
    match outcome {
        Ok(()) => Ok(format!("{targets} targets, {SMOKE_SECONDS} s each")),
        Err(_) => fail("a target failed; the lines above say which file replays it"),
    }
}

fn runner() -> Outcome<PathBuf> {
    // The same place as the program's: what both need is then built once.
    let target = workspace::target();
    let mut command = workspace::cargo();
    command.args(["build", "--release", "--quiet"]);
    command.args(["--manifest-path", "fuzz/Cargo.toml", "--bin", "mutate"]);
    command.env("CARGO_TARGET_DIR", &target);
    process::run(&mut command)?;
    Ok(target.join("release/mutate"))
}
