//! The table after a change of how values are read: the same values, understood anew.

use std::sync::Arc;

use super::super::slot::Slot;
use super::super::source::Stored;
use super::super::value::Reading;
use super::KnownRoutes;

impl KnownRoutes {
    /// Reads all values in this way from here on. What is known stays known; where it leads is made
    /// anew.
    pub(in super::super) fn read_as(&self, reading: Reading) {
        self.options.reading.store(Arc::new(reading));
        // Who puts a value that was understood before sees afterwards that it is to be made again.
        for part in 0..self.parts() {
            for (name, stored) in self.kept(part) {
                if let Some(stored) = stored {
                    self.remake(&name, &stored);
                }
            }
        }
    }

    /// Makes the lanes of a value again, if that is still the one in use. One that means nothing
    /// any more leads where it led.
    pub(super) fn remake(&self, name: &str, stored: &Stored) {
        let Ok(lanes) = self.made(name, stored, &self.reading()) else { return };
        let mut shard = self.shard(name).write();
        if let Some(Slot::Known(known)) = shard.get_mut(name)
            && known.value.as_ref().is_some_and(|value| value.is(stored))
        {
            known.lanes = lanes;
        }
    }
}
