//! Links in our own pages lead somewhere.

use std::path::Path;

use super::Violation;

/// Every relative link of a page.
pub(crate) fn check(root: &Path, file: &str, text: &str) -> Vec<Violation> {
    let folder = root.join(file).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for link in targets(line).filter(|link| !folder.join(link).exists()) {
            let what = format!("`{link}` is not there");
            found.push(Violation::at(index + 1, what, "links lead somewhere"));
        }
    }
    found
}

/// What stands in `](…)`, without its anchor; other sites and anchors alone are not ours to check.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let (link, _) = rest.split_once(')')?;
        let link = link.split(['#', ' ']).next().unwrap_or_default();
        (!link.is_empty() && !link.contains("://") && !link.starts_with("mailto:")).then_some(link)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_into_the_repository_are_followed() {
        let line = "see [a](a.md), [b](https://b/c.md), [c](#d) and [e](e/f.md#g \"title\")";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["a.md", "e/f.md"]);
    }

    #[test]
    fn a_link_to_nothing_is_found_but_for_examples() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = "[here](Cargo.toml)\n[gone](gone.md)\n```\n[an example](x)\n```\n";
        let found: Vec<usize> = check(root, "page.md", text).iter().map(|it| it.line).collect();
        assert_eq!(found, [2]);
    }
}
