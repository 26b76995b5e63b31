//! How a node follows a log, as a pure rule: what it read in, what it knows out.
//!
//! A log may lose its end, or its begin, or be made anew. Whatever is read is therefore checked
//! against what is known: every entry names the token of the one before it. Where that does not
//! hold, the floor rises; nothing is ever taken for alive because a purge was lost.

use crate::purge::{Bounds, LogEntry, Position, Rules};

/// What a node knows of a log, and how it goes on from there.
#[derive(Clone, Debug)]
pub struct Follower {
    rules: Rules,
    /// A log with a break in its history, and which: it is not followed until it has another
    /// lineage.
    refused: Option<(u64, Raise)>,
}

/// What became of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it is applied, and with it the newest.
    Applied,
    /// It did not reach up to the newest: read on, from the new position.
    Gap,
    /// The floor has risen. Read on, from the new position, unless that is the newest.
    Raised(Raise),
}

/// Why a floor rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// It is another log than the one that was followed.
    OtherLineage,
    /// Entries between the position and what was read have gone.
    Trimmed,
    /// The newest entry is older than what was read before.
    Backwards,
    /// Under a known number stands another entry.
    OtherToken,
    /// An entry does not follow the one before it.
    Unchained,
}

impl Raise {
    /// Whether the log's history has changed: then who notices gives the log another lineage, so
    /// that all others notice.
    pub fn is_fork(self) -> bool {
        match self {
            Raise::OtherLineage | Raise::Trimmed => false,
            Raise::Backwards | Raise::OtherToken | Raise::Unchained => true,
        }
    }

    /// A word for it, for logs and counts.
    pub fn word(self) -> &'static str {
        match self {
            Raise::OtherLineage => "other-lineage",
            Raise::Trimmed => "trimmed",
            Raise::Backwards => "backwards",
            Raise::OtherToken => "other-token",
            Raise::Unchained => "unchained",
        }
    }
}

impl Follower {
    /// One that knows nothing.
    pub fn new(bounds: Bounds) -> Self {
        Self::from(Rules::new(bounds))
    }

    /// What it knows.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// After which entry it reads on.
    pub fn position(&self) -> Position {
        self.rules.position()
    }

    /// The lineage of a log that it does not follow, because of a break in its history.
    pub fn refused(&self) -> Option<u64> {
        self.refused.map(|(lineage, _)| lineage)
    }

    /// Takes what was read: the entries behind its position, a part of them or all, in their order,
    /// and the newest there was when they were read. None although there is a newer one means that
    /// they have gone. The entry at its position may come first once more.
    pub fn take(&mut self, entries: &[LogEntry], newest: Position) -> Taken {
        let position = self.position();
        if newest.lineage != position.lineage {
            return self.meet(newest.lineage);
        }
        if newest.number < position.number {
            return self.refuse(Raise::Backwards);
        }
        let mut trimmed = false;
        for entry in entries {
            match self.follow(entry) {
                Ok(None) => {}
                Ok(Some(raise)) => trimmed |= raise == Raise::Trimmed,
                Err(fork) => return self.refuse(fork),
            }
        }
        if self.position() == position && newest.number > position.number {
            self.rules.skip_to(newest);
            trimmed = true;
        }
        let reached = self.position();
        if reached.number == newest.number && reached.token != newest.token {
            return self.refuse(Raise::OtherToken);
        }
        match trimmed {
            true => Taken::Raised(Raise::Trimmed),
            false if reached.number < newest.number => Taken::Gap,
            false => Taken::Applied,
        }
    }

    /// Whether it has followed a log as far as that.
    pub fn has_reached(&self, newest: Position) -> bool {
        let position = self.position();
        position.lineage == newest.lineage && position.number >= newest.number
    }

    fn follow(&mut self, entry: &LogEntry) -> Result<Option<Raise>, Raise> {
        let position = self.position();
        if entry.number < position.number {
            return Ok(None);
        }
        if entry.number == position.number {
            return if entry.token == position.token { Ok(None) } else { Err(Raise::OtherToken) };
        }
        if entry.number != position.number + 1 {
            // `apply` raises the floor for what is missing.
            self.rules.apply(entry);
            return Ok(Some(Raise::Trimmed));
        }
        if entry.previous != position.token {
            return Err(Raise::Unchained);
        }
        self.rules.apply(entry);
        Ok(None)
    }

    // Another log: read from its begin. Its own break of before is still one.
    fn meet(&mut self, lineage: u64) -> Taken {
        match self.refused {
            Some((refused, why)) if refused == lineage => Taken::Raised(why),
            Some(_) | None => {
                self.refused = None;
                self.rules.begin(Position::start_of(lineage));
                Taken::Raised(Raise::OtherLineage)
            }
        }
    }

    // Numbers of this lineage cannot be compared with those that entries bear.
    fn refuse(&mut self, why: Raise) -> Taken {
        self.refused = Some((self.position().lineage, why));
        self.rules.begin(Position::default());
        Taken::Raised(why)
    }
}

impl From<Rules> for Follower {
    fn from(rules: Rules) -> Self {
        Self { rules, refused: None }
    }
}
