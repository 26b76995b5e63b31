//! What is wrong with a configuration: every problem with its place, for people and for scripts.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, LabeledSpan, NamedSource, SourceCode};
use serde::Serialize;

use super::masking::masked;

/// Problems kept of one configuration; what follows is the work of the same mistake.
pub const PROBLEMS_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: no capital, no full stop.
    pub message: String,
    /// What is allowed, and what was probably meant.
    pub help: Option<String>,
    /// Its bytes in the file; `None` for a flag and for what is missing.
    pub place: Option<Range<usize>>,
}

/// All that is wrong with a configuration; at least one problem, in the order of the file. The
/// file's text is kept without its secrets.
#[derive(Clone, Debug)]
pub struct Problems {
    name: String,
    text: String,
    list: Vec<Problem>,
}

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Problem {
    /// A problem at a place of the file.
    pub(super) fn at(place: Range<usize>, message: impl Into<String>) -> Self {
        Problem { message: message.into(), help: None, place: Some(place) }
    }

    /// A problem without a place.
    pub(super) fn nowhere(message: impl Into<String>) -> Self {
        Problem { message: message.into(), help: None, place: None }
    }

    /// The same, with advice.
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Problems {
    /// These problems of the file `name` with this text.
    pub(super) fn new(name: &str, text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| problem.place.as_ref().map_or(usize::MAX, |place| place.start));
        list.truncate(PROBLEMS_MAX);
        for place in list.iter_mut().filter_map(|problem| problem.place.as_mut()) {
            *place = on_characters(text, place.clone());
        }
        Problems { name: name.to_owned(), text: masked(text), list }
    }

    /// Each of them.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Where a problem is in the file.
    pub fn position(&self, problem: &Problem) -> Option<Position> {
        let before = self.text.get(..problem.place.as_ref()?.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        Some(Position { line, column: before[line_start..].chars().count() + 1 })
    }

    /// For people: each problem with its lines of the file.
    pub fn human(&self, colours: Colours) -> String {
        let theme = match colours {
            Colours::On => miette::GraphicalTheme::unicode(),
            Colours::Off => miette::GraphicalTheme::unicode_nocolor(),
        };
        let writer = GraphicalReportHandler::new_themed(theme).with_width(100);
        let mut out = String::new();
        for problem in &self.list {
            let source = NamedSource::new(&self.name, self.text.clone());
            // Writing to a string fails only if the source cannot be read; the plain line is left.
            if writer.render_report(&mut out, &Shown { problem, source }).is_err() {
                out.push_str(&self.line(problem));
            }
            out.push('\n');
        }
        out
    }

    /// For scripts: one line a problem, `file:line:column: message`.
    pub fn plain(&self) -> String {
        self.list.iter().map(|problem| self.line(problem) + "\n").collect()
    }

    /// For programs: a JSON array.
    pub fn json(&self) -> String {
        let list: Vec<_> = self.list.iter().map(|problem| self.as_json(problem)).collect();
        serde_json::Value::from(list).to_string()
    }

    fn line(&self, problem: &Problem) -> String {
        let place = match self.position(problem) {
            Some(Position { line, column }) => format!("{}:{line}:{column}: ", self.name),
            None if self.name.is_empty() => String::new(),
            None => format!("{}: ", self.name),
        };
        let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{place}{}{help}", problem.message)
    }

    fn as_json(&self, problem: &Problem) -> serde_json::Value {
        let position = self.position(problem);
        let shown = ProblemJson {
            file: &self.name,
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
            message: &problem.message,
            help: problem.help.as_deref(),
        };
        serde_json::json!(shown)
    }
}

/// Whether colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal.
    On,
    /// Elsewhere.
    Off,
}

/// One line a problem.
impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.plain())
    }
}

impl std::error::Error for Problems {}

#[derive(Serialize)]
struct ProblemJson<'a> {
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    help: Option<&'a str>,
}

/// A problem as miette draws it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    source: NamedSource<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.problem.place.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, place))))
    }
}

/// The range, inside the text and between characters.
fn on_characters(text: &str, place: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(place.start);
    let end = text.ceil_char_boundary(place.end);
    start..end.max(start)
}

#[cfg(test)]
mod tests;
