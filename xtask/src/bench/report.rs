//! Numbers to tables, and tables to `docs/benchmarks.md`.

use std::process::Command;

use crate::outcome::{Outcome, fail};
use crate::process;
use crate::workspace;

/// The middle of the numbers; of an even count, the upper one of the two.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// A goal and whether it is met.
pub(crate) fn goal(what: &str, is_met: impl FnOnce() -> bool) -> String {
    let word = if is_met() { "met" } else { "MISSED" };
    format!("- {what}: **{word}**\n")
}

/// A Markdown table.
pub(crate) struct Table {
    text: String,
}

impl Table {
    /// With these words over the columns.
    pub(crate) fn new(columns: &[&str]) -> Table {
        let text = format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
        Table { text }
    }

    /// One row more.
    pub(crate) fn row(&mut self, cells: &[String]) {
        self.text += &format!("| {} |\n", cells.join(" | "));
    }

    /// As Markdown.
    pub(crate) fn text(self) -> String {
        self.text
    }
}

/// Replaces one section of the page, between its two marks.
pub(crate) fn write(section: &str, tables: &str) -> Outcome {
    let file = workspace::root().join("docs/benchmarks.md");
    let page = workspace::read(&file)?;
    workspace::write(&file, &replaced(&page, section, &format!("{}\n{tables}", machine()))?)
}

fn replaced(page: &str, section: &str, text: &str) -> Outcome<String> {
    let (open, close) = (format!("<!-- bench {section} -->"), format!("<!-- end {section} -->"));
    let parts = page
        .split_once(&open)
        .and_then(|(before, rest)| rest.split_once(&close).map(|(_, after)| (before, after)));
    let Some((before, after)) = parts else {
        return fail(format!("docs/benchmarks.md has no section between `{open}` and `{close}`"));
    };
    Ok(format!("{before}{open}\n{}\n{close}{after}", text.trim_end()))
}

/// What it ran on, in one line.
fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = (processor.lines().find(|line| line.starts_with("model name")))
        .and_then(|line| line.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = processor.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let versions = [version("nginx", "-v"), version("varnishd", "-V"), version("haproxy", "-v")];
    let commit = version("git", "describe --always --dirty");
    format!(
        "{model}, {cores} cores, Linux {}; Forebay at {commit}; {}.\n",
        kernel.trim(),
        versions.join("; ")
    )
}

fn version(program: &str, option: &str) -> String {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).args(option.split(' '));
    let Ok(captured) = process::capture_any(&mut command) else { return program.to_owned() };
    let said = format!("{}{}", captured.out, captured.err);
    said.lines().next().unwrap_or(program).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_not_moved_by_one_odd_round() {
        assert!((median(&[5.0, 1.0, 900.0]) - 5.0).abs() < f64::EPSILON);
        assert!((median(&[]) - 0.0).abs() < f64::EPSILON);
    }

    #[test]
    fn only_the_named_section_of_the_page_changes() {
        let page = "a\n<!-- bench hit -->\nold\n<!-- end hit -->\nb\n";
        let expected = "a\n<!-- bench hit -->\nnew\n<!-- end hit -->\nb\n";
        assert_eq!(replaced(page, "hit", "new\n").unwrap(), expected);
        assert!(replaced(page, "pass", "new").is_err());
    }
}
