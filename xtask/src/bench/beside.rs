//! `bench crate`: the crate beside other caches in memory, by the package in `bench/`.
//!
//! That package is a workspace of its own, so that nobody who builds the program builds the peers. It
//! makes its own tables; nothing of the other benches is needed for it.

use super::Effort;
use crate::outcome::Outcome;
use crate::process;
use crate::workspace;

/// Builds it, runs it, and gives its tables.
pub(crate) fn run(effort: Effort) -> Outcome<String> {
    let mut command = workspace::cargo();
    command.args([
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--manifest-path",
        "bench/Cargo.toml",
    ]);
    command.arg("--target-dir").arg(workspace::target().join("bench"));
    if effort.is_quick() {
        command.args(["--", "--quick"]);
    }
    let tables = process::capture(&mut command)?;
    Ok(format!(
        "`cargo xtask bench crate`: keys are `u64`, values 64 bytes behind what each cache shares (an `Arc`; ours\n\
         shares the entry). Ours and moka have a lifetime of an hour, the others know none. A thread's time on\n\
         a processor, medians of alternating rounds.\n\n{}",
        tables.trim_end()
    ))
}
