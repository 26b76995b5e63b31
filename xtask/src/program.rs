//! The program under test.

use std::path::PathBuf;

use crate::outcome::{Outcome, Trying};
use crate::{process, workspace};

/// The program with HTTP/3, without optimisation, built first.
pub(crate) fn with_http3() -> Outcome<PathBuf> {
    let mut build = workspace::cargo();
    build.args(["build", "--locked", "--package", "forebay", "--features", "http3"]);
    process::run(&mut build)?;
    // The next build without it would write over it.
    let program = workspace::made(workspace::target().join("http3"))?.join("forebay");
    let built = workspace::target().join("debug/forebay");
    std::fs::copy(&built, &program).trying(format!("copy `{}`", built.display()))?;
    Ok(program)
}

/// The release program, built first; or, to try another build, the one that `FOREBAY_BIN` names.
pub(crate) fn release() -> Outcome<PathBuf> {
    if let Some(program) = std::env::var_os("FOREBAY_BIN") {
        return Ok(program.into());
    }
    let mut build = workspace::cargo();
    process::run(build.args(["build", "--release", "--locked", "--package", "forebay"]))?;
    Ok(workspace::target().join("release/forebay"))
}
