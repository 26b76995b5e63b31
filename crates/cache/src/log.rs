//! The log of purges: where a node stands in it.

/// The last entry that a node has applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// What tells this log from every other.
    pub lineage: u64,
    /// The entry's number.
    pub number: u64,
    /// The entry's token.
    pub token: u64,
}
