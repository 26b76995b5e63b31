//! HTTP/3 by clients that share no line with ours, aioquic and Chromium, against a program built with it.

use std::path::Path;
use std::process::Command;

use crate::outcome::{Outcome, fail};
use crate::process;
use crate::tools;
use crate::workspace;

/// Fewer means that the script gave up.
const CASES_MIN: usize = 13;

/// Runs all cases of `xtask/conformance/http3.py` against the program.
pub(crate) fn run(program: &Path) -> Outcome<String> {
    let mut command = Command::new(tools::aioquic()?);
    command.arg(workspace::root().join("xtask/conformance/http3.py")).arg(program);
    if tools::wants_browser() {
        command.arg(tools::path(&tools::BROWSER));
    }
    let (printed, outcome) = process::show_and_keep(&mut command)?;
    outcome?;
    let passed = printed.lines().filter(|line| line.ends_with(": passed")).count();
    match passed {
        CASES_MIN.. => Ok(format!("{passed} cases passed")),
        _ => fail(format!("aioquic ran {passed} cases only")),
    }
}
