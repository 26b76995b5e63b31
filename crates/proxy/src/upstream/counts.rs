//! What the upstreams of this process have counted, all together: whatever comes and goes with
//! routes, these only grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request was tried on a further member.
    Retried,
    /// It would have been, and too many are already.
    RetryRefused,
    /// A request waited for a member that had as many as it may.
    Queued,
    /// It was not taken into the queue, or waited there for too long.
    QueueRefused,
    /// No member could be asked.
    Nobody,
    /// A health check failed.
    CheckFailed,
}

impl Event {
    /// Each of them.
    pub const ALL: [Event; 6] = [
        Event::Retried,
        Event::RetryRefused,
        Event::Queued,
        Event::QueueRefused,
        Event::Nobody,
        Event::CheckFailed,
    ];
}

static COUNTS: [AtomicU64; Event::ALL.len()] = [const { AtomicU64::new(0) }; Event::ALL.len()];

/// Counts one.
pub(super) fn note(event: Event) {
    COUNTS[event as usize].fetch_add(1, Ordering::Relaxed);
}

/// How many were counted.
pub fn counted(event: Event) -> u64 {
    COUNTS[event as usize].load(Ordering::Relaxed)
}
