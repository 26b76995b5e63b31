//! `cargo xtask reference`: the page of the manual that lists every setting and flag.

use crate::outcome::{Outcome, fail};
use crate::process;
use crate::workspace;

/// Writes the page, or says whether it is what the program says.
pub(crate) fn run(options: &[&str]) -> Outcome {
    let path = workspace::root().join("docs/manual/reference.md");
    let mut command = workspace::cargo();
    command.args(["run", "--quiet", "--package", "forebay", "--example", "reference", "page"]);
    let page = process::capture(&mut command)?;
    match options {
        ["--write"] => workspace::write(&path, &page),
        [] if workspace::read(&path).is_ok_and(|written| written == page) => Ok(()),
        [] => fail("docs/manual/reference.md is not what the program says; add --write"),
        unknown => fail(format!("no option `{}`; there is --write", unknown.join(" "))),
    }
}
