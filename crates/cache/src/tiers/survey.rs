//! What all tiers hold under a key, dead or alive: for operators who ask why.

use super::{Found, Tiers};
use crate::entry::{Head, Key};
use crate::tier::Tier;

impl<H: Head, F: Send + Sync + 'static> Tiers<H, F> {
    /// What each tier holds under this key, the nearest first, whatever the purges say of it. Nothing
    /// is promoted, reclaimed or counted as a use of memory.
    pub async fn survey(&self, key: &Key) -> Vec<Found<H>> {
        let memory = &self.parts.memory;
        let mut found = Vec::new();
        found.extend(memory.peek(key.as_bytes()).map(|entry| Found { entry, tier: memory.name() }));
        found.extend(self.parts.below.survey(key).await);
        found
    }
}
