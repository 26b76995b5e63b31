//! The program under test.

use std::path::PathBuf;

use crate::outcome::Outcome;
use crate::{process, workspace};

/// The release program, built first; or, to try another build, the one that `FOREBAY_BIN` names.
pub(crate) fn release() -> Outcome<PathBuf> {
    if let Some(program) = std::env::var_os("FOREBAY_BIN") {
        return Ok(program.into());
    }
    let mut build = workspace::cargo();
    process::run(build.args(["build", "--release", "--locked", "--package", "forebay"]))?;
    Ok(workspace::target().join("release/forebay"))
}
