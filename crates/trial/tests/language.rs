//! The language of scripts: what is wrong is said with file, line, found, nearest and allowed.

use std::path::Path;

use forebay_trial::script::{self, Told};

#[track_caller]
fn refused(text: &str, because: &[&str]) {
    let failure = script::parse(Path::new("a/b.script"), text).expect_err(text).to_string();
    for because in because {
        assert!(failure.contains(because), "`{failure}` does not say `{because}`");
    }
}

#[test]
fn a_script_begins_with_what_it_proves() {
    refused("client asks GET /\n", &["a/b.script:1: found no title"]);
    let script = script::parse(Path::new("x"), "# One\n# two.\n\nclient asks GET /\n").expect("it");
    assert_eq!(script.title, "One two.");
    assert_eq!(script.steps[0].line, 4);
}

#[test]
fn an_unknown_sentence_names_the_nearest() {
    for (sentence, meant) in [
        ("clinet A asks GET /", "client NAME asks METHOD TARGET"),
        ("origin is quiet", "origin is silent"),
        ("origin anwsers 200", "origin answers STATUS"),
        ("12 sec pass", "N s pass"),
        ("configure", "config"),
    ] {
        let nearest = format!("a/b.script:2: found `{sentence}`; nearest: `{meant}`");
        refused(&format!("# T\n{sentence}\n"), &[&nearest, "allowed: `client NAME asks"]);
    }
}

#[test]
fn a_wrong_line_below_a_sentence_is_named() {
    for (below, because) in [
        ("what is this", "a/b.script:3: found `what is this`; allowed: `Name: value`"),
        ("Age: >= many", "a/b.script:3: found `many`; allowed: a whole number"),
        ("Age: missing", "did you mean `absent`"),
        ("\"\\q\"", "found `\\q`; allowed: `\\r \\n"),
        ("Date: {tomorrow}", "found `{tomorrow}`; allowed: `{now}`"),
        ("body many bytes", "found `body many bytes`; allowed: a number"),
    ] {
        refused(&format!("# T\nclient gets 200\n  {below}\n"), &[because]);
    }
    refused("# T\norigin is silent\n  X: y\n", &["a/b.script:3: found `X: y` below"]);
    refused("# T\n  X: y\n", &["a/b.script:2: found an indented line before"]);
    refused("# T\norigin answers 200\n  body contains x\n", &["a question about a body"]);
}

#[test]
fn configuration_stands_before_the_story() {
    refused("# T\norigin is silent\nconfig\n  a = 1\n", &["a/b.script:3: found `config` after"]);
    let text = "# T\nconfig\n  a = 1\nconfig limits\n  b = 2\nonly real: sockets\n";
    let script = script::parse(Path::new("x"), text).expect("it reads");
    assert_eq!(script.tables[0].name, "route");
    assert_eq!(script.tables[1].lines, ["b = 2"]);
    assert_eq!(script.told, Told::Real("sockets".to_owned()));
}

#[test]
fn a_remark_may_follow_a_sentence() {
    let text = "# T\norigin is silent   # nothing came\n";
    let script = script::parse(Path::new("x"), text).expect("it reads");
    assert_eq!(script.steps[0].text, "origin is silent");
}
