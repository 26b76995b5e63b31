//! The log of purges: what writes it, what follows it, and what a node knows of it now.
//!
//! A [`Log`] lies in memory, in a file, or where all nodes of a cluster see it. Whoever follows one
//! hands what he reads to [`Purges::take`]; the rules of that are in [`follow`], which does no I/O.
//! The cache and the program ask [`Purges`], which costs a compare of two numbers where nothing
//! has changed.

pub mod file;
pub mod follow;
mod memory;
mod purges;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::disk::DiskError;
use crate::purge::{Position, Rule};

pub use file::{FileBounds, FileLog, FileOptions, Journal};
pub use follow::{Follower, Raise, Taken, Trust};
pub use memory::MemoryLog;
pub use purges::{DOUBT_BOUND, Purges, PurgesSnapshot, RECENT_MAX};

/// What comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The purges of one call; more are refused.
pub const APPENDED_MAX: usize = 1_000;

/// A log that can be written, and what this node knows of it.
pub trait Log: Send + Sync + 'static {
    /// Writes these purges, in this order, all of them or none. When it returns well they are as
    /// durable as this log is, and this node has applied them; the others are asked with
    /// [`Log::applied`]. Dropped while it waits, they may be written all the same.
    fn append(&self, rules: Vec<Rule>) -> Later<'_, Result<Appended, LogFailure>>;

    /// Waits until every live node has followed the log up to there, for so long at most; then says
    /// of every node how far it is.
    fn applied(&self, up_to: Position, wait: Duration) -> Later<'_, Vec<NodeStanding>>;

    /// Says goodbye to the other nodes, so that no purge waits for this one, within the time of a
    /// call. From here on it is in doubt. Nothing, where there are no others.
    fn leave(&self) -> Later<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Lets go of the files that it keeps, so that another process can open them. What is to be
    /// written there meanwhile is refused, or left out where the log lies elsewhere. Waits for the
    /// disk.
    fn let_go(&self) {}

    /// Opens again what was let go, and takes what others have written there. Waits for the disk.
    fn take_back(&self) -> Result<(), DiskError> {
        Ok(())
    }

    /// What this node knows.
    fn purges(&self) -> &Purges;

    /// All numbers, now.
    fn snapshot(&self) -> LogSnapshot;
}

/// Purges that are in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The number of the first of them.
    pub first: u64,
    /// The place of the last of them.
    pub last: Position,
}

/// Why purges are not in the log for sure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFailure {
    /// They are not in it.
    Refused(Cow<'static, str>),
    /// They may be in it, or not: nobody said.
    Unsure(Cow<'static, str>),
}

impl LogFailure {
    /// They are not in the log, told as what was tried, on what, and why not.
    pub fn refused(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(what.into())
    }

    /// They may be in the log.
    pub fn unsure(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsure(what.into())
    }
}

impl fmt::Display for LogFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(what) => f.write_str(what),
            Self::Unsure(what) => write!(f, "{what}; it may be in force all the same"),
        }
    }
}

impl std::error::Error for LogFailure {}

/// How far a node has followed the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStanding {
    /// The node's name.
    pub node: String,
    /// How far it is.
    pub standing: Standing,
}

/// How far one node has followed the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As far as was asked.
    Applied,
    /// It lives, and is only at this number yet.
    Behind {
        /// The newest that it has applied.
        at: u64,
    },
    /// It was not heard within the bound, and is in doubt by now.
    Unheard {
        /// How long it was not heard.
        since: Duration,
    },
}

/// What a log is, and what it has done.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogSnapshot {
    /// The word for its kind.
    pub kind: &'static str,
    /// Purges written by this node.
    pub appended: u64,
    /// Purges that this node could not write.
    pub refused: u64,
    /// The bytes of its file, where it has one.
    pub file_bytes: u64,
    /// Why the last call failed that did.
    pub last_failure: Option<String>,
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod model;
#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
