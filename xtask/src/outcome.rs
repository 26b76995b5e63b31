//! How a command of this crate ends: well, or with one sentence for the reader.

use std::fmt;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// What every step returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Ends a step with this message.
pub(crate) fn fail<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Failure(message.into()))
}

/// Says what was tried when something else went wrong.
pub(crate) trait Trying<T> {
    /// Puts `attempt` before the cause: "cannot read `x`: no such file".
    fn trying(self, attempt: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: fmt::Display> Trying<T> for Result<T, E> {
    fn trying(self, attempt: impl fmt::Display) -> Outcome<T> {
        self.map_err(|cause| Failure(format!("cannot {attempt}: {cause}")))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
