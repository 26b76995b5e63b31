//! What shows in a file's lines: its length, its head, words that must not be there.

use super::Violation;

const LINES_MAX: usize = 600;

/// Words that a finished file does not have. They are put together here, or this file had them.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("dbg", "!(")];

/// Parts of paths and addresses that hold only where the repository was written.
const LOCAL: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/", "target"),
    concat!("arti", "factory"),
    concat!("/Us", "ers/"),
];

/// Of every text file.
pub(crate) fn everywhere(text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for part in LOCAL.iter().filter(|part| line.contains(*part)) {
            let what = format!("`{part}` holds on one machine only");
            found.push(Violation::at(index + 1, what, "no local paths or registry hosts"));
        }
    }
    found
}

/// Of every Rust file.
pub(crate) fn rust(file: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let count = text.lines().count();
    if count > LINES_MAX {
        found.push(Violation::at(
            count,
            format!("{count} lines"),
            "style 2: at most 600 lines a file",
        ));
    }
    // `x/tests.rs` is the tests of `x`, whose doc says what it is.
    let is_named_by_parent = file.ends_with("/tests.rs");
    if !is_named_by_parent && !text.starts_with("//!") && !opens_with_attribute(text) {
        found.push(Violation::at(
            1,
            "no `//!` at its head",
            "style 14: each module says what it is",
        ));
    }
    for (index, line) in text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| contains_word(line, word)) {
            found.push(Violation::at(
                index + 1,
                format!("`{word}`"),
                "style 17: nothing unfinished",
            ));
        }
    }
    found
}

/// `#![no_main]` and its like go before the doc.
fn opens_with_attribute(text: &str) -> bool {
    let doc = text.lines().find(|line| !line.starts_with("#![") && !line.is_empty());
    text.starts_with("#![") && doc.is_some_and(|line| line.starts_with("//!"))
}

fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
        !joins(before) && (word.ends_with('(') || !joins(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, lines: &[usize]) {
        let found: Vec<usize> =
            rust("src/key.rs", text).iter().map(|violation| violation.line).collect();
        assert_eq!(found, lines, "{text}");
    }

    #[test]
    fn a_module_opens_with_its_doc() {
        check("//! What it is.\n", &[]);
        check("#![no_main]\n//! What it is.\n", &[]);
        check("use a::b;\n", &[1]);
        check("", &[1]);
        assert!(rust("src/key/tests.rs", "use a::b;\n").is_empty());
    }

    #[test]
    fn a_file_has_at_most_600_lines() {
        check(&format!("//! Long.\n{}", "\n".repeat(599)), &[]);
        check(&format!("//! Long.\n{}", "\n".repeat(600)), &[601]);
    }

    #[test]
    fn nothing_unfinished_stays() {
        check(concat!("//! It.\n// TO", "DO: more\n"), &[2]);
        check(concat!("//! It.\nlet a = dbg", "!(b);\n"), &[2]);
        check(concat!("//! It.\nlet a = TO", "DOS;\n"), &[]);
    }

    #[test]
    fn local_paths_stay_out() {
        assert_eq!(everywhere(concat!("see /ho", "me/me/x\nfine\n")).len(), 1);
    }
}
