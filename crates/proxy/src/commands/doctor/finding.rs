//! One thing that was found, and how much it weighs.

use std::fmt;

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is: no capital, no full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It does not work, or not for long, or not safely.
    Problem,
    /// It works, and could be better.
    Hint,
}

impl Finding {
    /// It does not work, or not for long, or not safely.
    pub(super) fn problem(message: impl Into<String>) -> Self {
        Finding { weight: Weight::Problem, message: message.into(), help: None }
    }

    /// It works, and could be better.
    pub(super) fn hint(message: impl Into<String>) -> Self {
        Finding { weight: Weight::Hint, message: message.into(), help: None }
    }

    /// The same, with what to do.
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// `message; help`.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "; {help}"),
            None => Ok(()),
        }
    }
}

/// What was looked at, and what was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// What was looked at, without user and password.
    pub what: String,
    /// What it is, when it let itself be looked at.
    pub is: Option<String>,
    /// What was found, the heaviest first.
    pub findings: Vec<Finding>,
}

impl Examined {
    /// This was looked at and found to be so.
    pub(super) fn new(
        what: impl Into<String>,
        is: Option<String>,
        mut findings: Vec<Finding>,
    ) -> Self {
        findings.sort_by_key(|finding| match finding.weight {
            Weight::Problem => 0,
            Weight::Hint => 1,
        });
        Examined { what: what.into(), is, findings }
    }

    /// Whether something is wrong.
    pub fn is_ill(&self) -> bool {
        self.findings.iter().any(|finding| finding.weight == Weight::Problem)
    }
}

/// What was looked at in the first line, one finding in each other line.
impl fmt::Display for Examined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.is {
            Some(is) => writeln!(formatter, "{}: {is}", self.what)?,
            None => writeln!(formatter, "{}", self.what)?,
        }
        for finding in &self.findings {
            let weight = match finding.weight {
                Weight::Problem => "problem",
                Weight::Hint => "hint",
            };
            writeln!(formatter, "  {weight:<8} {finding}")?;
        }
        if self.findings.is_empty() {
            writeln!(formatter, "  fine")?;
        }
        Ok(())
    }
}
