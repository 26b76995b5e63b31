//! `cargo xtask ci`: all of CI, on any machine. The lints alone with `--lints`.

use std::process::Command;

use crate::outcome::{Outcome, fail};
use crate::process;
use crate::published;
use crate::summary::{Summary, quiet};
use crate::test;
use crate::tidy;
use crate::tools;
use crate::workspace;

/// Tests, then lints, one table.
pub(crate) fn run() -> Outcome {
    let mut summary = Summary::default();
    test::steps(&mut summary);
    lint_steps(&mut summary);
    summary.finish()
}

/// The lints alone.
pub(crate) fn lints() -> Outcome {
    let mut summary = Summary::default();
    lint_steps(&mut summary);
    summary.finish()
}

fn lint_steps(summary: &mut Summary) {
    summary
        .step("fmt", || quiet(process::run(workspace::cargo().args(["fmt", "--all", "--check"]))));
    summary.step("fmt of fuzz", || quiet(process::run(&mut fmt_apart("fuzz"))));
    summary.step("fmt of bench", || quiet(process::run(&mut fmt_apart("bench"))));
    summary.step("features of the crate", published::features);
    summary.step("oldest Rust", published::oldest_rust);
    summary.step("clippy", || quiet(process::run(&mut clippy())));
    summary.step("clippy with HTTP/3", || quiet(process::run(&mut clippy_with_http3())));
    summary.step("tidy", || quiet(tidy::run()));
    summary.step("doc", || quiet(process::run(&mut doc())));
    summary.step("doc of the crate", published::docs);
    summary.step("package of the crate", || quiet(published::package()));
    summary.step("cargo-deny", dependencies);
}

/// Of a package that is a workspace of its own.
fn fmt_apart(package: &str) -> Command {
    let mut command = workspace::cargo();
    command.args(["fmt", "--manifest-path", &format!("{package}/Cargo.toml"), "--check"]);
    command
}

fn clippy() -> Command {
    let mut command = workspace::cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    command
}

fn clippy_with_http3() -> Command {
    let mut command = workspace::cargo();
    command.args(["clippy", "--package", "forebay", "--package", "forebay-trial"]);
    command.args(["--features", "forebay/http3,forebay-trial/http3"]);
    command.args(["--all-targets", "--locked", "--", "-D", "warnings"]);
    command
}

fn doc() -> Command {
    let mut command = workspace::cargo();
    command.args(["doc", "--workspace", "--no-deps", "--locked", "--quiet"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// The advisories are a git repository on a public host, which not every CI machine can reach.
/// Without it the rest is judged, and the gap is said aloud; `tidy` holds Cargo.lock to the
/// minimal versions that we know of in any case.
fn dependencies() -> Outcome<String> {
    let program = tools::cargo_program(&tools::DENY)?;
    let deny = |checks: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(workspace::root()).args(["--workspace", "--locked", "check"]);
        command.args(["--hide-inclusion-graph"]).args(checks);
        command
    };
    process::run(&mut deny(&["bans", "licenses", "sources"]))?;
    let advisories = process::capture_any(&mut deny(&["advisories"]))?;
    let said = format!("{}{}", advisories.out, advisories.err);
    if advisories.success {
        return Ok("advisories checked".to_owned());
    }
    if said.contains("failed to fetch advisory database") {
        let note = "ADVISORIES SKIPPED: their database cannot be fetched from here";
        println!("{note}\n{said}");
        return Ok(note.to_owned());
    }
    fail(format!("an advisory applies:\n{said}"))
}
