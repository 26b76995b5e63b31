//! Every dependency says what it is for, in the line above it.

use super::Violation;

const RULE: &str = "style 27: the line in Cargo.toml says what for";

/// The tables of dependencies in a `Cargo.toml`.
pub(crate) fn check(text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut in_dependencies = false;
    let mut is_dev = false;
    let mut explained = Vec::new();
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            in_dependencies = line.trim_end_matches(']').ends_with("dependencies");
            is_dev = line.contains("dev-dependencies");
        } else if let Some(name) = dependency(line).filter(|_| in_dependencies) {
            // The crates of this workspace explain themselves, and the second mention of another
            // was explained at the first.
            let known = line.contains("path = ") || (is_dev && explained.contains(&name));
            if !known && !before.starts_with('#') {
                found.push(Violation::at(index + 1, format!("`{name}` without a reason"), RULE));
            }
            explained.push(name);
        }
        before = line;
    }
    found
}

fn dependency(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    let plain = |it: char| it.is_alphanumeric() || it == '-' || it == '_' || it == '.';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_has_its_reason_above_it() {
        let check = |text: &str, lines: &[usize]| {
            let found: Vec<usize> = check(text).iter().map(|violation| violation.line).collect();
            assert_eq!(found, lines, "{text}");
        };
        check("[dependencies]\n# shares bodies\nbytes = \"1\"\n", &[]);
        check("[dependencies]\nbytes = \"1\"\n", &[2]);
        check("[dependencies]\nown = { path = \"../own\" }\n", &[]);
        check("[package]\nname = \"x\"\n", &[]);
        check("[dependencies]\n# why\na = \"1\"\n[dev-dependencies]\na = \"1\"\nb = \"1\"\n", &[6]);
        check("[target.'cfg(fuzzing)'.dependencies]\nlibfuzzer-sys = \"0.4\"\n", &[2]);
    }
}
