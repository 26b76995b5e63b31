//! What is refused, in which words.

use super::*;

/// One problem for a line at the top of a file.
fn top(line: &str, said: &str) {
    let text = format!("{line}\n{ROUTE}");
    assert_eq!(problems(&text), format!("f:{said}\n"), "{line}");
}

/// One problem for a line in a route.
fn in_route(line: &str, said: &str) {
    let text = format!("[[route]]\nto = \"a:1\"\n{line}\n");
    assert_eq!(problems(&text), format!("f:{said}\n"), "{line}");
}

#[test]
fn print_them() {
    for line in ["lisen = 1"] {
        top(line, "");
    }
}
