//! The log of purges in Redis: a stream that all nodes follow, and the roll of those nodes.

pub(super) mod answers;
pub(super) mod steps;
