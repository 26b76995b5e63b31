//! `cargo xtask tidy`: the rules of STYLE.md that a program can check.
//!
//! Each violation is one line: file, line, what, and the rule. Only what can be told reliably is
//! checked; the rest is for readers.

mod functions;
mod imports;
mod lines;
mod links;
mod lock;
mod manifests;
mod names;

use std::path::Path;
use std::process::Command;

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::workspace;

/// A rule that is broken somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The line, from 1; 0 for the file as a whole.
    line: usize,
    what: String,
    rule: &'static str,
}

impl Violation {
    fn at(line: usize, what: impl Into<String>, rule: &'static str) -> Violation {
        Violation { line, what: what.into(), rule }
    }
}

/// Checks every file that git knows, or would add.
pub(crate) fn run() -> Outcome {
    let root = workspace::root();
    let files = files()?;
    let mut lines = Vec::new();
    for file in &files {
        // Pictures and corpora are not text, and nothing is asked of them.
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        for found in violations(&root, file, &text)? {
            lines.push(format!("{file}:{}: {} ({})", found.line, found.what, found.rule));
        }
    }
    for file in scripts_without_folder(&files) {
        lines.push(format!("{file}:0: lies in no folder of scripts/ (one folder a rule)"));
    }
    if lines.is_empty() {
        println!("tidy: {} files, no violation", files.len());
        return Ok(());
    }
    fail(format!("{} violations\n{}", lines.len(), lines.join("\n")))
}

fn files() -> Outcome<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(workspace::root());
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let mut files: Vec<String> = process::capture(&mut git)?.lines().map(str::to_owned).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

fn violations(root: &Path, file: &str, text: &str) -> Outcome<Vec<Violation>> {
    if file.starts_with("fuzz/corpus/") {
        return Ok(Vec::new());
    }
    let mut found = lines::everywhere(text);
    if file.ends_with(".rs") {
        let parsed = syn::parse_file(text).trying(format!("parse `{file}`"))?;
        found.extend(lines::rust(file, text));
        found.extend(functions::check(&parsed));
        found.extend(names::check(file, &parsed));
        found.extend(imports::check(file, &parsed));
    }
    if file.ends_with("Cargo.toml") {
        found.extend(manifests::check(text));
    }
    if file.ends_with("Cargo.lock") {
        found.extend(lock::check(text)?);
    }
    if file.ends_with(".md") {
        found.extend(links::check(root, file, text));
    }
    found.sort_by_key(|violation| violation.line);
    Ok(found)
}

fn scripts_without_folder(files: &[String]) -> Vec<&String> {
    let lies_open = |file: &&String| {
        (file.strip_prefix("scripts/"))
            .is_some_and(|rest| !rest.contains('/') && !rest.ends_with(".md"))
    };
    files.iter().filter(lies_open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_lies_in_the_folder_of_its_rule() {
        let files = ["scripts/age/lists.txt", "scripts/lost.txt", "scripts/README.md", "src/a.rs"];
        let files = files.map(str::to_owned);
        assert_eq!(scripts_without_folder(&files), ["scripts/lost.txt"]);
    }
}
