//! Purges: what is to be forgotten, as pure rules. Told the time, no I/O, no lock.
//!
//! A purge is an entry of an ordered log. An entry of the cache bears the [`Epoch`] at which
//! its fetch began; a purge with a higher number that covers it has killed it (hard) or made it
//! stale (soft). Nothing is scanned: [`Rules`] keeps, for each scope, the number of its newest
//! purges, and judges an entry when it is read. What the rules do not know is never taken for
//! alive: below the floor, or in another lineage, an entry is unproven.

mod belongs;
mod epoch;
mod form;
mod rules;

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::clock::Timestamp;

pub use belongs::Belongs;
pub use epoch::Epoch;
pub use form::{ENTRY_BYTES_MAX, RULE_BYTES_MAX};
pub use rules::{Bounds, Rules};

/// The longest prefix that can be purged.
pub const PREFIX_BYTES_MAX: usize = 16 << 10;

/// What entries have in common that can be purged together: a host, a URL, a tag. A digest of a
/// name with a label; a collision, however unlikely, purges more and never less.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Group(u128);

impl Group {
    /// The group with this name among those with this label.
    pub fn of(label: &str, name: &[u8]) -> Self {
        let mut digest = Xxh3::new();
        // Its length keeps a label and the name behind it apart.
        digest.update(&(label.len() as u64).to_le_bytes());
        digest.update(label.as_bytes());
        digest.update(name);
        Self(digest.digest128())
    }

    /// As it is stored.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The one that was stored as these.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({:032x})", self.0)
    }
}

/// All entries of a group whose path begins with these bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Prefix {
    group: Group,
    bytes: Box<[u8]>,
}

impl Prefix {
    /// This prefix of paths in that group; `None` if it is longer than [`PREFIX_BYTES_MAX`].
    pub fn new(group: Group, bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= PREFIX_BYTES_MAX).then(|| Self { group, bytes: bytes.into() })
    }

    /// In which group.
    pub fn group(&self) -> Group {
        self.group
    }

    /// What the paths begin with.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({:?}, {})", self.group, self.bytes.escape_ascii())
    }
}

/// What a purge covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All entries.
    Everything,
    /// The entries of a group.
    Group(Group),
    /// The entries of a group whose path begins so.
    Prefix(Prefix),
}

/// What a purge does to what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Gone: never to be used again.
    Hard,
    /// Stale from that moment on; the stale windows hold.
    Soft,
}

/// One purge, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What it covers.
    pub scope: Scope,
    /// What it does to that.
    pub kind: Kind,
}

/// One purge, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number: 1, 2, 3 and so on, without gaps.
    pub number: u64,
    /// What tells it from any other with its number, by chance.
    pub token: u64,
    /// The token of the one before it; 0 for the first.
    pub previous: u64,
    /// When it was written, by the log's clock: for people, and for stale windows.
    pub at: Timestamp,
    /// The purge.
    pub rule: Rule,
}

/// How far a log goes, or a node has followed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which log: by chance, when it was made; 0 where none is known.
    pub lineage: u64,
    /// The number of the newest purge; 0 before the first.
    pub number: u64,
    /// Its token; 0 before the first.
    pub token: u64,
}

impl Position {
    /// Before the first purge of a log.
    pub fn start_of(lineage: u64) -> Self {
        Self { lineage, number: 0, token: 0 }
    }

    /// At this entry of the same log.
    pub fn at(self, entry: &LogEntry) -> Self {
        Self { number: entry.number, token: entry.token, ..self }
    }

    /// Just before this entry of the same log.
    pub fn before(self, entry: &LogEntry) -> Self {
        Self { number: entry.number.saturating_sub(1), token: entry.previous, ..self }
    }

    /// What an entry bears whose fetch begins now.
    pub fn epoch(self) -> Epoch {
        Epoch::new(self.lineage, self.number, self.token)
    }
}

/// What the purges say of an entry of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Alive,
    /// The hard purge with this number killed it: it must not be used again, in no way.
    Gone {
        /// The number of that purge.
        by: u64,
    },
    /// A soft purge covers it: it is stale since then, by the log's clock.
    Stale {
        /// When it was purged.
        since: Timestamp,
        /// The number of that purge.
        by: u64,
    },
    /// Nobody knows: it must be validated before it is used.
    Unproven,
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
