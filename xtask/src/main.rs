//! The project's own commands, the same on every machine: `cargo xtask help` lists them.
//!
//! What they need beside Rust they install under `target/tools`; only programs of the system come
//! from apt, and only when run as root.

mod bench;
mod ci;
mod conformance;
mod fuzz;
mod outcome;
mod package;
mod process;
mod program;
mod published;
mod reference;
mod summary;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use outcome::{Outcome, fail};

const HELP: &str = "\
cargo xtask <command>

  test                     install what is needed and run everything that proves the program
  ci                       test, then lints: what .ci/run runs
  ci --lints               fmt, clippy, tidy, doc, cargo-deny, without the tests
  tidy                     the style's checkable rules
  conformance              http-cache-tests, httpwg and kosoku against the built program
  conformance http3        aioquic against the program with HTTP/3
  conformance --url URL    http-cache-tests against a gateway that runs already, before --origin PORT
  conformance --only ID    one test of http-cache-tests, its exchanges shown
  conformance --peer nginx http-cache-tests against nginx, to see that the harness tells the truth
  package [deb|tarball] [--debug]
                           a Debian package, and a tarball with a static program, in target/package
  package --try [--debug]  the Debian package in a Debian machine that systemd boots, as root
  reference [--write]      whether docs/manual/reference.md is what the program says, or make it so
  semver [REVISION]        whether the crate's interface changed since the last tag, or that revision,
                           as its version says; not a part of ci, since it builds both
  fuzz [--seconds N] [--seed N] [--target NAME]
                           mutate the corpus against every fuzz target, N seconds each
  fuzz --replay FILE       run a finding again
  bench hit|pass|memory|tiers|purge|routes|crate|all [--quick] [--write]
                           measure beside nginx, Varnish and HAProxy, the crate beside other
                           caches in memory; --write keeps the tables
                           in docs/benchmarks.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Outcome {
    match arguments {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        ["ci", "--lints"] => ci::lints(),
        ["tidy"] => tidy::run(),
        ["conformance", options @ ..] => conformance::run(options),
        ["package", options @ ..] => package::run(options),
        ["reference", options @ ..] => reference::run(options),
        ["semver", options @ ..] => published::semver(options),
        ["fuzz", options @ ..] => fuzz::run(options),
        ["bench", options @ ..] => bench::run(options),
        // Not for hands: bench starts us again, bound to the client's core.
        ["fixed-rate-client", options @ ..] => bench::fixed_rate_client(options),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        unknown => fail(format!("no command `{}`\n\n{HELP}", unknown.join(" "))),
    }
}
