//! What happens in a cache, for those who listen. Nobody is waited for: who is slow is told how much he
//! has missed.

use std::time::Duration;

use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};

use super::error::{Error, LoadError};
use crate::entry::Key;
pub use crate::memory::Eviction;

/// Events that wait for a slow listener; older ones are dropped, and it is told.
const EVENTS_MAX: usize = 1_024;

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A load ended well.
    Loaded {
        /// Of what.
        key: Key,
        /// How long it took.
        took: Duration,
    },
    /// A load failed.
    LoadFailed {
        /// Of what.
        key: Key,
        /// Why.
        error: Error,
    },
    /// A load failed, and a stale value stands in until the retry pause is over.
    Revived {
        /// Of what.
        key: Key,
        /// Why.
        error: Error,
    },
    /// A value was set by hand.
    Set {
        /// Of what.
        key: Key,
    },
    /// A value was deleted, or made stale.
    Removed {
        /// Of what.
        key: Key,
    },
    /// All values with this tag were purged, or made stale.
    TagPurged {
        /// The tag.
        tag: String,
    },
    /// All values were purged, or made stale.
    AllPurged,
    /// A value went from this process's memory though nobody removed it; a level below may hold it still.
    Evicted {
        /// Of what.
        key: Key,
        /// Why.
        why: Eviction,
    },
    /// A value cannot be written as bytes: it is in memory alone.
    NotEncoded {
        /// Of what.
        key: Key,
        /// Why.
        error: LoadError,
    },
    /// What a lower tier holds is of another schema or does not read: a miss.
    NotDecoded {
        /// Of what.
        key: Key,
    },
}

/// Listens to a cache; see [`Cache::events`](crate::Cache::events).
#[derive(Debug)]
pub struct Events(Receiver<Event>);

/// The listener was slow: so many events were dropped before it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged(pub u64);

impl Events {
    /// The next event; `None` when the cache has gone.
    pub async fn next(&mut self) -> Option<Result<Event, Lagged>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(missed)) => Some(Err(Lagged(missed))),
            Err(RecvError::Closed) => None,
        }
    }
}

impl std::fmt::Display for Lagged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "missed {} events", self.0)
    }
}

impl std::error::Error for Lagged {}

/// Tells those who listen.
#[derive(Clone, Debug)]
pub(crate) struct Teller(Sender<Event>);

impl Teller {
    pub(crate) fn new() -> Self {
        Self(Sender::new(EVENTS_MAX))
    }

    pub(crate) fn listen(&self) -> Events {
        Events(self.0.subscribe())
    }

    /// Makes the event only if anybody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.0.receiver_count() > 0 {
            // The last of them may just have left.
            let _ = self.0.send(event());
        }
    }
}
