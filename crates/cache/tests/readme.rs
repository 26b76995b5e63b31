//! What the README says in numbers.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_readme_says_how_many_crates_come_with_no_feature() {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(env!("CARGO_MANIFEST_DIR"));
    tree.args(["tree", "--package", "forebay-cache", "--locked", "--offline", "--edges", "normal"]);
    tree.args(["--no-default-features", "--prefix", "none", "--format", "{p}"]);
    let said = tree.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let lines = String::from_utf8(said.stdout).unwrap();
    let crates: BTreeSet<_> = lines.lines().filter_map(|line| line.split(' ').next()).collect();
    let others = crates.len() - 1;
    let readme = include_str!("../README.md");
    assert!(
        readme.contains(&format!("memory and loaders; {others} other crates")),
        "{others} other crates: {crates:?}"
    );
}
