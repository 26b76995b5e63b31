//! How a node follows a log, as a pure rule: what it read in, what it knows out.
//!
//! A log may lose its end, or its begin, or be made anew. Whatever is read is therefore checked
//! against what is known: every entry names the token of the one before it. Where that does not
//! hold, the floor rises; nothing is ever taken for alive because a purge was lost.

use std::time::Duration;

use tokio::time::Instant;

use crate::purge::{Belongs, Epoch, LogEntry, Position, Rules, Verdict};

/// Whether a node may have missed a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It knows every purge that has returned.
    Sure,
    /// It has not heard the log within the bound: a response is fresh no longer than the bound,
    /// counted from its last validation.
    Doubt,
}

impl Trust {
    /// That of a node at a moment, which heard its log wholly so long ago, if ever.
    pub fn after(unheard: Option<Duration>, bound: Duration) -> Self {
        match unheard {
            Some(unheard) if unheard < bound => Trust::Sure,
            Some(_) | None => Trust::Doubt,
        }
    }
}

/// What a node knows of a log, and how it goes on from there.
#[derive(Clone, Debug)]
pub struct Follower {
    rules: Rules,
    /// What was known of the log that was followed before this one, if that was anything: what that
    /// killed is no less dead now.
    past: Option<Box<Rules>>,
    /// A log with a break in its history, and which: it is not followed until it has another
    /// lineage.
    refused: Option<(u64, Raise)>,
    /// A lineage that no log has, for as long as it knows none; never used twice. What was fetched
    /// in one such time proves nothing in another, when purges have come and gone between them.
    own: u64,
    heard: Option<Instant>,
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
    /// One that knows this. `own` is a lineage that no log has, by chance; it bears it as long as it
    /// knows no log.
    pub fn new(mut rules: Rules, own: u64) -> Self {
        if rules.position() == Position::default() {
            rules.begin(Position::start_of(own));
        }
        Self { rules, past: None, refused: None, own, heard: None }
    }

    /// What it knows.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is said of an entry with this epoch that belongs to these groups.
    pub fn judge(&self, epoch: Epoch, belongs: &Belongs<'_>) -> Verdict {
        match (self.rules.judge(epoch, belongs), &self.past) {
            (Verdict::Unproven, Some(past)) => match past.judge(epoch, belongs) {
                gone @ Verdict::Gone { .. } => gone,
                Verdict::Alive | Verdict::Stale { .. } | Verdict::Unproven => Verdict::Unproven,
            },
            (verdict, _) => verdict,
        }
    }

    /// After which entry it reads on.
    pub fn position(&self) -> Position {
        self.rules.position()
    }

    /// The lineage of a log that it does not follow, because of a break in its history.
    pub fn refused(&self) -> Option<u64> {
        self.refused.map(|(lineage, _)| lineage)
    }

    /// When the last question was sent whose answer left nothing unknown. What was written since
    /// then may be.
    pub fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// What it heard before does not count any more.
    pub fn fall_in_doubt(&mut self) {
        self.heard = None;
    }

    /// Takes what was read: the entries behind its position, a part of them or all, in their order,
    /// and the newest there was when they were read. None although there is a newer one means that
    /// they have gone. The entry at its position may come first once more. `asked_at` is when the
    /// question was sent, not when it was answered.
    pub fn take(&mut self, entries: &[LogEntry], newest: Position, asked_at: Instant) -> Taken {
        let taken = self.take_in(entries, newest);
        if self.has_reached(newest) {
            self.heard = self.heard.max(Some(asked_at));
        }
        taken
    }

    fn take_in(&mut self, entries: &[LogEntry], newest: Position) -> Taken {
        let position = self.position();
        if newest.lineage == Position::default().lineage {
            // A log that has no lineage is none yet.
            return Taken::Gap;
        }
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

    fn has_reached(&self, newest: Position) -> bool {
        let position = self.position();
        let is_known = newest.lineage != Position::default().lineage;
        is_known && position.lineage == newest.lineage && position.number >= newest.number
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
                self.leave_for(lineage);
                Taken::Raised(Raise::OtherLineage)
            }
        }
    }

    // Numbers of this lineage cannot be compared with those that entries bear.
    fn refuse(&mut self, why: Raise) -> Taken {
        self.refused = Some((self.position().lineage, why));
        self.own = self.own.wrapping_add(1);
        self.leave_for(self.own);
        self.heard = None;
        Taken::Raised(why)
    }

    // One log is remembered: of two that go within the life of an entry, the first has said little.
    fn leave_for(&mut self, lineage: u64) {
        let known = self.rules.leave_for(Position::start_of(lineage));
        if !known.is_empty() {
            self.past = Some(Box::new(known));
        }
    }
}
