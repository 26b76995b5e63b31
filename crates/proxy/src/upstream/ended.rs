//! Why an exchange with a member ended before its time, before it is said which member it was.

use std::fmt;
use std::sync::Arc;

use crate::failure::{FailureKind, FetchFailure};

/// The step that failed, and what was said about it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) kind: FailureKind,
    cause: Option<String>,
}

impl Ended {
    pub(super) fn because(kind: FailureKind, cause: impl fmt::Display) -> Self {
        Ended { kind, cause: Some(cause.to_string()) }
    }

    /// The same as a failure of this member.
    pub(super) fn at(self, member: &Arc<str>) -> FetchFailure {
        match self.cause {
            Some(cause) => FetchFailure::because(self.kind, member, cause),
            None => FetchFailure::new(self.kind, member),
        }
    }
}

impl From<FailureKind> for Ended {
    fn from(kind: FailureKind) -> Self {
        Ended { kind, cause: None }
    }
}
