//! The file's shape: tables, lists and values with their places, read key by key.
//!
//! A [`Section`] remembers which keys it was asked for. Those that nobody asked for are unknown:
//! there is no second list of keys that could differ from what is read.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{PROBLEMS_MAX, Problem};
use super::text::{self, Refusal, in_bytes, in_time, meant, refuse};

/// Entries of one list.
pub(super) const LIST_MAX: usize = 1024;

/// Characters of a value that a message repeats.
const SHOWN_MAX: usize = 60;

/// Keys whose values no message repeats.
const SECRETS: [&str; 4] = ["admin_token", "redis", "secret", "url"];

/// What is found wrong on the way.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: RefCell<Vec<Problem>>,
}

impl Findings {
    /// Adds a problem; beyond the bound it is dropped.
    pub(super) fn add(&self, problem: Problem) {
        let mut list = self.list.borrow_mut();
        if list.len() < PROBLEMS_MAX {
            list.push(problem);
        }
    }

    /// All of them.
    pub(super) fn into_list(self) -> Vec<Problem> {
        self.list.into_inner()
    }
}

/// Something with its place in the file; `None` when it comes from a flag or a default.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Option<Range<usize>>,
}

impl<T> Placed<T> {
    /// A value that is in no file.
    pub(super) fn nowhere(value: T) -> Self {
        Placed { value, place: None }
    }
}

/// Values without their places.
pub(super) fn values<T>(placed: Vec<Placed<T>>) -> Vec<T> {
    placed.into_iter().map(|one| one.value).collect()
}

/// A value of the file.
#[derive(Clone, Copy)]
pub(super) struct Value<'a>(&'a Spanned<DeValue<'a>>);

impl<'a> Value<'a> {
    /// Its bytes in the file.
    pub(super) fn place(self) -> Range<usize> {
        self.0.span()
    }

    /// Its table, when it is one.
    pub(super) fn table(self) -> Option<&'a DeTable<'a>> {
        self.0.get_ref().as_table()
    }

    /// Its text, when it is one.
    pub(super) fn as_text(self) -> Option<&'a str> {
        self.0.get_ref().as_str()
    }

    /// Its text, or what it is instead.
    pub(super) fn text(self) -> Result<&'a str, Refusal> {
        self.as_text().ok_or_else(|| self.is_not("a text in quotes"))
    }

    /// The values of a list; a value alone is a list of one.
    pub(super) fn list(self) -> Vec<Value<'a>> {
        match self.0.get_ref().as_array() {
            Some(array) => array.iter().map(Value).collect(),
            None => vec![self],
        }
    }

    /// It is something else than what is wanted.
    pub(super) fn is_not(self, wanted: &str) -> Refusal {
        let kind = match self.0.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Refusal { why: format!("it is {kind}"), allowed: Some(format!("allowed: {wanted}")) }
    }

    /// As a message repeats it.
    pub(super) fn shown(self) -> String {
        let text = match self.0.get_ref() {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(word) => word.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            DeValue::Array(_) => "[…]".to_owned(),
            DeValue::Table(_) => "{…}".to_owned(),
        };
        match text.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// A table of the file that is being read.
pub(super) struct Section<'a> {
    /// How messages call it: `limits`, `route`.
    name: &'a str,
    table: &'a DeTable<'a>,
    place: Range<usize>,
    findings: &'a Findings,
    asked: Vec<&'a str>,
}

impl<'a> Section<'a> {
    /// A table to be read; the outermost one has no name.
    pub(super) fn new(
        name: &'a str,
        table: &'a DeTable<'a>,
        place: Range<usize>,
        findings: &'a Findings,
    ) -> Self {
        Section { name, table, place, findings, asked: Vec::new() }
    }

    /// Where the table is.
    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Where problems go.
    pub(super) fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The value of a key, if it is there.
    pub(super) fn value(&mut self, key: &'a str) -> Option<Value<'a>> {
        self.asked.push(key);
        let mut pairs = self.table.iter();
        pairs.find(|(found, _)| found.get_ref() == key).map(|(_, value)| Value(value))
    }

    /// Every key that is there with its value, for tables whose keys are free.
    pub(super) fn pairs(
        table: &'a DeTable<'a>,
    ) -> impl Iterator<Item = (Placed<&'a str>, Value<'a>)> {
        table.iter().map(|(key, value)| {
            (Placed { value: key.get_ref().as_ref(), place: Some(key.span()) }, Value(value))
        })
    }

    /// What a key's value means, if it is there and means something.
    pub(super) fn read<T>(
        &mut self,
        key: &'a str,
        meaning: impl FnOnce(Value<'a>) -> Result<T, Refusal>,
    ) -> Option<Placed<T>> {
        let value = self.value(key)?;
        self.accept(key, value, meaning)
    }

    /// The same into a variable, which stays as it is when nothing is said.
    pub(super) fn set<T>(
        &mut self,
        key: &'a str,
        meaning: impl FnOnce(Value<'a>) -> Result<T, Refusal>,
        variable: &mut T,
    ) {
        if let Some(said) = self.read(key, meaning) {
            *variable = said.value;
        }
    }

    /// A list, each entry on its own; a value alone is a list of one.
    pub(super) fn list<T>(
        &mut self,
        key: &'a str,
        meaning: impl Fn(Value<'a>) -> Result<T, Refusal>,
    ) -> Option<Vec<Placed<T>>> {
        let value = self.value(key)?;
        let values = value.list();
        if values.len() > LIST_MAX {
            let message = format!("`{key}` is too long: it has {} entries", values.len());
            let problem = Problem::at(value.place(), message);
            self.findings.add(problem.with_help(format!("at most {LIST_MAX}")));
        }
        let values = values.into_iter().take(LIST_MAX);
        Some(values.filter_map(|value| self.accept(key, value, &meaning)).collect())
    }

    /// The table under a key.
    pub(super) fn section(&mut self, key: &'a str) -> Option<Section<'a>> {
        let value = self.value(key)?;
        let table =
            self.accept(key, value, |value| value.table().ok_or_else(|| value.is_not("a table")))?;
        Some(Section::new(key, table.value, value.place(), self.findings))
    }

    /// What a value means; what it cannot mean is a problem.
    pub(super) fn accept<T>(
        &self,
        key: &str,
        value: Value<'a>,
        meaning: impl FnOnce(Value<'a>) -> Result<T, Refusal>,
    ) -> Option<Placed<T>> {
        match meaning(value) {
            Ok(meaning) => Some(Placed { value: meaning, place: Some(value.place()) }),
            Err(refusal) => {
                self.findings.add(refused(key, value, refusal));
                None
            }
        }
    }

    /// Ends the reading: what nobody asked for is unknown.
    pub(super) fn finish(self) {
        for (key, _) in Section::pairs(self.table) {
            if self.asked.contains(&key.value) {
                continue;
            }
            let place = match self.name {
                "" => String::new(),
                name => format!(" in `{name}`"),
            };
            let message = format!("unknown key {}{place}", in_ticks(key.value));
            let mut known = self.asked.clone();
            known.sort_unstable();
            known.dedup();
            let problem = Problem { message, help: None, place: key.place };
            self.findings.add(problem.with_help(meant(key.value, &known, "known here")));
        }
    }
}

/// The problem that a value is refused.
pub(super) fn refused(key: &str, value: Value<'_>, refusal: Refusal) -> Problem {
    let shown = if SECRETS.contains(&key) { "…".to_owned() } else { value.shown() };
    let message = format!("`{key}` cannot be `{shown}`: {}", refusal.why);
    Problem { message, help: refusal.allowed, place: Some(value.place()) }
}

fn in_ticks(key: &str) -> String {
    match key.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("`{}…`", key[..end].escape_debug()),
        None => format!("`{}`", key.escape_debug()),
    }
}

/// A time span within bounds.
pub(super) fn span(
    bounds: RangeInclusive<Duration>,
) -> impl Fn(Value<'_>) -> Result<Duration, Refusal> {
    move |value| {
        let Some(text) = value.as_text() else {
            return Err(value.is_not("a text with a unit, such as \"250ms\", \"10s\" or \"1h30m\""));
        };
        let span = text::span(text)?;
        if bounds.contains(&span) {
            return Ok(span);
        }
        let why = if span < *bounds.start() { "it is too short" } else { "it is too long" };
        refuse(why, format!("allowed: {} to {}", in_time(*bounds.start()), in_time(*bounds.end())))
    }
}

/// A size within bounds.
pub(super) fn size(bounds: RangeInclusive<u64>) -> impl Fn(Value<'_>) -> Result<u64, Refusal> {
    move |value| {
        let Some(text) = value.as_text() else {
            return Err(value.is_not("a text with a unit, such as \"64KiB\" or \"256MiB\""));
        };
        let size = text::size(text)?;
        within(size, &bounds, in_bytes)
    }
}

/// A size of something that is in memory, within bounds.
pub(super) fn length(bounds: RangeInclusive<u64>) -> impl Fn(Value<'_>) -> Result<usize, Refusal> {
    let size = size(bounds);
    move |value| Ok(usize::try_from(size(value)?).unwrap_or(usize::MAX))
}

/// A whole number within bounds.
pub(super) fn count(bounds: RangeInclusive<u64>) -> impl Fn(Value<'_>) -> Result<usize, Refusal> {
    move |value| {
        let Some(number) = value.0.get_ref().as_integer() else {
            return Err(value.is_not("a whole number"));
        };
        // Below zero is below every bound; what no `i64` holds is refused when the file is read.
        let number = i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX);
        let Ok(number) = u64::try_from(number) else {
            return refuse("it is too small", allowed(&bounds, |n| n.to_string()));
        };
        let number = within(number, &bounds, |n| n.to_string())?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }
}

fn within(
    number: u64,
    bounds: &RangeInclusive<u64>,
    written: impl Fn(u64) -> String,
) -> Result<u64, Refusal> {
    if bounds.contains(&number) {
        return Ok(number);
    }
    let why = if number < *bounds.start() { "it is too small" } else { "it is too large" };
    refuse(why, allowed(bounds, written))
}

fn allowed(bounds: &RangeInclusive<u64>, written: impl Fn(u64) -> String) -> String {
    format!("allowed: {} to {}", written(*bounds.start()), written(*bounds.end()))
}

/// A number within bounds, with a fraction or without.
pub(super) fn number(bounds: RangeInclusive<f64>) -> impl Fn(Value<'_>) -> Result<f64, Refusal> {
    move |value| {
        let number = match value.0.get_ref() {
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
            DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => return Err(value.is_not("a number, such as 1.0")),
        };
        match number {
            Some(number) if bounds.contains(&number) => Ok(number),
            Some(_) | None => {
                let allowed = format!("allowed: {:?} to {:?}", bounds.start(), bounds.end());
                refuse("it is out of bounds", allowed)
            }
        }
    }
}

/// One of these words.
pub(super) fn word<T: Copy>(
    words: &'static [(&'static str, T)],
) -> impl Fn(Value<'_>) -> Result<T, Refusal> {
    move |value| match value.as_text() {
        Some(text) => text::word(text, words),
        None => {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            Err(value.is_not(&known.join(", ")))
        }
    }
}

/// What a function makes of a text.
pub(super) fn said<T>(
    meaning: impl Fn(&str) -> Result<T, Refusal>,
) -> impl Fn(Value<'_>) -> Result<T, Refusal> {
    move |value| meaning(value.text()?)
}
