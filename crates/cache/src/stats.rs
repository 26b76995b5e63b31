//! Counts.
/// All counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {}
