//! The example programs say what they should.

use std::process::Command;

#[test]
fn the_plain_example_loads_once_and_gives_what_is_stale_when_the_source_is_down() {
    let mut run = Command::new(env!("CARGO"));
    run.current_dir(env!("CARGO_MANIFEST_DIR"));
    run.args(["run", "--quiet", "--offline", "--locked", "--example", "plain"]);
    let ran = run.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(said, "100 callers, 1 load\nSome(4) degrees, Stale\n");
}
