//! A log in memory: for one node with neither a disk nor a Redis. It ends with the process.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    APPENDED_MAX, Appended, Later, Log, LogFailure, LogSnapshot, NodeStanding, Purges, Standing,
};
use crate::clock::Clock;
use crate::purge::{Bounds, LogEntry, Position, Rule, Rules};
use crate::stats::Count;

/// A log whose only node has applied a purge as soon as it is written.
#[derive(Debug)]
pub struct MemoryLog {
    node: String,
    clock: Clock,
    purges: Purges,
    // Who writes does so alone.
    writing: Mutex<()>,
    appended: Count,
    refused: Count,
}

impl MemoryLog {
    /// A log of a lineage of its own. `node` is the name under which its only node is listed.
    pub fn new(node: impl Into<String>, bounds: Bounds, clock: Clock) -> Self {
        let mut rules = Rules::new(bounds);
        rules.begin(Position::start_of(new_lineage()));
        Self {
            node: node.into(),
            clock,
            purges: Purges::own(rules),
            writing: Mutex::new(()),
            appended: Count::default(),
            refused: Count::default(),
        }
    }

    fn write(&self, rules: Vec<Rule>) -> Result<Appended, LogFailure> {
        if let Err(refused) = within_bound(&rules) {
            self.refused.more(rules.len() as u64);
            return Err(refused);
        }
        let _alone = self.writing.lock();
        let at = self.purges.position();
        let (entries, last) = numbered(at, rules, &self.clock);
        self.purges.take(&entries, last, Instant::now());
        self.appended.more(entries.len() as u64);
        Ok(Appended { first: at.number + 1, last })
    }
}

/// A lineage that no other log has.
pub(super) fn new_lineage() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// One call writes at least one purge, and not too many.
pub(super) fn within_bound(rules: &[Rule]) -> Result<(), LogFailure> {
    match rules.len() {
        0 => Err(LogFailure::refused("cannot purge: there is nothing to purge")),
        1..=APPENDED_MAX => Ok(()),
        many => Err(LogFailure::refused(format!(
            "cannot purge {many} at once: more than {APPENDED_MAX}"
        ))),
    }
}

/// The entries that follow a position, and the position of the last.
pub(super) fn numbered(
    after: Position,
    rules: Vec<Rule>,
    clock: &Clock,
) -> (Vec<LogEntry>, Position) {
    let (mut last, at) = (after, clock.now());
    let next = |rule| {
        let (number, previous) = (last.number + 1, last.token);
        let entry = LogEntry { number, token: rand::random(), previous, at, rule };
        last = last.at(&entry);
        entry
    };
    let entries = rules.into_iter().map(next).collect();
    (entries, last)
}

impl Log for MemoryLog {
    fn append(&self, rules: Vec<Rule>) -> Later<'_, Result<Appended, LogFailure>> {
        Box::pin(async move { self.write(rules) })
    }

    fn applied(&self, up_to: Position, _: Duration) -> Later<'_, Vec<NodeStanding>> {
        Box::pin(async move { vec![own_standing(&self.node, &self.purges, up_to)] })
    }

    fn purges(&self) -> &Purges {
        &self.purges
    }

    fn snapshot(&self) -> LogSnapshot {
        LogSnapshot {
            kind: "memory",
            appended: self.appended.now(),
            refused: self.refused.now(),
            ..LogSnapshot::default()
        }
    }
}

/// How far the only node of a log is.
pub(super) fn own_standing(node: &str, purges: &Purges, up_to: Position) -> NodeStanding {
    let position = purges.position();
    let is_there = position.lineage == up_to.lineage && position.number >= up_to.number;
    let behind = Standing::Behind { at: position.number };
    let standing = if is_there { Standing::Applied } else { behind };
    NodeStanding { node: node.to_owned(), standing }
}
