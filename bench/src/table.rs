//! Tables and goals as Markdown.

/// A table under a heading of columns.
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self(format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len())))
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.0 += &format!("| {} |\n", cells.join(" | "));
    }

    pub(crate) fn text(self) -> String {
        self.0
    }
}

/// A goal, and whether it is met.
pub(crate) fn goal(what: &str, is_met: impl FnOnce() -> bool) -> String {
    format!("- {what}: **{}**\n", if is_met() { "met" } else { "MISSED" })
}

/// The middle of the numbers.
pub(crate) fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}
