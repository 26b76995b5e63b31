//! `cargo xtask test`: everything that proves the program, from a machine with Rust alone.

use std::path::Path;

use crate::conformance;
use crate::fuzz;
use crate::outcome::{Outcome, fail};
use crate::process;
use crate::program;
use crate::summary::{Summary, quiet};
use crate::tools::{self, SystemProgram};
use crate::workspace;

/// Installs what is needed, builds, runs all tests and prints one table.
pub(crate) fn run() -> Outcome {
    // Who must install it by hand hears so at once, and not after minutes of building.
    tools::need(&programs())?;
    let mut summary = Summary::default();
    steps(&mut summary);
    summary.finish()
}

/// The steps, for whoever has more of them.
pub(crate) fn steps(summary: &mut Summary) {
    summary.step("what is needed", || quiet(install()));
    let mut program = None;
    summary.step("build the program", || {
        program = Some(program::release()?);
        Ok(String::new())
    });
    summary.step("tests of the workspace", || workspace_tests(program.as_deref()));
    summary.step("commands of the manual", rooms_of_the_manual);
    summary.step("interleavings of the cache", interleavings);
    let mut with_http3 = None;
    summary.step("build the program with HTTP/3", || {
        with_http3 = Some(program::with_http3()?);
        Ok(String::new())
    });
    if let Some(program) = with_http3 {
        summary.step("tests of HTTP/3", || http3_tests(&program));
        summary.step("aioquic (HTTP/3)", || conformance::http3(&program));
    }
    summary.step("fuzz, briefly", fuzz::smoke);
    match program {
        Some(program) => conformance::steps(summary, &program),
        None => summary.step("conformance", || fail("there is no program to try")),
    }
}

/// Programs of the system, asked for together.
fn programs() -> Vec<SystemProgram> {
    let mut programs = vec![tools::COMPILER, tools::NODE, tools::NPM, tools::PYTHON];
    programs.extend([tools::REDIS, tools::PEBBLE, tools::CURL, tools::UNSHARE, tools::IP]);
    if tools::wants_browser() {
        programs.extend([tools::BROWSER, tools::BROWSER_DRIVER]);
    }
    programs
}

fn install() -> Outcome {
    tools::need(&programs())?;
    tools::node_packages()?;
    tools::kosoku()?;
    tools::aioquic()?;
    tools::cargo_program(&tools::HTTPWG)?;
    Ok(())
}

fn workspace_tests(program: Option<&Path>) -> Outcome<String> {
    let mut command = workspace::cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    // The trials over real sockets run the program as it is shipped.
    if let Some(program) = program {
        command.env("FOREBAY_BIN", program);
    }
    counted(&mut command)
}

/// What is behind the feature, and no more: the rest is tested without it.
fn http3_tests(program: &Path) -> Outcome<String> {
    let mut rules = workspace::cargo();
    rules.args(["test", "--locked", "--package", "forebay", "--features", "http3", "--lib"]);
    let rules = counted(rules.args(["--", "server::h3", "config::tests::http3"]))?;
    let mut trials = workspace::cargo();
    trials.args(["test", "--locked", "--package", "forebay-trial", "--features", "http3"]);
    trials.args(["--test", "tls", "http3"]).env("FOREBAY_BIN", program);
    let trials = counted(&mut trials)?;
    Ok(format!("rules: {rules}; trials: {trials}"))
}

/// The tests of the workspace run every command of the manual, in rooms that not every machine lets
/// us make. Where it does not, the gap is said aloud.
fn rooms_of_the_manual() -> Outcome<String> {
    let mut unshare = tools::system(&tools::UNSHARE);
    unshare.args(["--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc"]);
    let tried = process::capture_any(unshare.args(["ip", "link", "set", "lo", "up"]))?;
    if tried.success {
        return Ok("each was run, with the tests of the workspace".to_owned());
    }
    let note = "COMMANDS OF THE MANUAL NOT RUN: no namespaces can be made here";
    println!("{note}\n{}", tried.err);
    Ok(note.to_owned())
}

fn interleavings() -> Outcome<String> {
    let mut command = workspace::cargo();
    command.args(["test", "--locked", "--package", "forebay-cache", "--lib"]);
    // Another build of everything, so in a place of its own.
    command.env("CARGO_TARGET_DIR", workspace::target().join("shuttle"));
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    command.env("RUSTFLAGS", format!("{flags} --cfg shuttle").trim());
    counted(&mut command)
}

fn counted(command: &mut std::process::Command) -> Outcome<String> {
    let (printed, outcome) = process::show_and_keep(command)?;
    let (passed, failed) = count(&printed);
    match outcome {
        Ok(()) => Ok(format!("{passed} tests passed")),
        Err(failure) => fail(format!("{passed} tests passed, {failed} failed; {failure}")),
    }
}

/// Adds up the lines in which cargo's test programs say how they ended.
fn count(printed: &str) -> (usize, usize) {
    let mut passed = 0;
    let mut failed = 0;
    for line in printed.lines().filter(|line| line.starts_with("test result:")) {
        passed += number_before(line, " passed");
        failed += number_before(line, " failed");
    }
    (passed, failed)
}

fn number_before(line: &str, word: &str) -> usize {
    let Some((before, _)) = line.split_once(word) else { return 0 };
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_test_programs_count() {
        let printed = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(count(printed), (43, 2));
    }
}
