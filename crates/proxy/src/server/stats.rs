//! Counters of the client side: plain atomics, read by whoever tells them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::refusal::RefusalReason;

/// What the client side has seen since its start. Gauges are named for what is, counters for what
/// was.
#[derive(Debug, Default)]
pub struct ServerStats {
    /// Connections open now.
    pub connections_open: AtomicU64,
    /// Connections accepted.
    pub connections_accepted: AtomicU64,
    /// Accepts that failed, for want of descriptors or otherwise.
    pub accepts_failed: AtomicU64,
    /// Connections on which HTTP/2 was spoken.
    pub connections_h2: AtomicU64,
    /// Connections on which HTTP/3 was spoken.
    pub connections_h3: AtomicU64,
    /// Exchanges under way now, from a request's head to the end of its answer.
    pub exchanges_open: AtomicU64,
    /// Requests whose head was accepted.
    pub requests: AtomicU64,
    /// Exchanges that panicked.
    pub panics: AtomicU64,
    /// Answers that could not be finished: the client went, or took nothing for too long.
    pub answers_cut: AtomicU64,
    /// Answers whose body ended in an error or with another length than was said.
    pub answers_broken: AtomicU64,
    /// Exchanges whose client went away before they had an answer.
    pub clients_gone: AtomicU64,
    /// HTTP/2 connections closed because an answer made no progress.
    pub stalls: AtomicU64,
    /// HTTP/2 connections closed because the client reset streams faster than it may.
    pub floods: AtomicU64,
    /// HTTP/3 streams reset because an answer made no progress.
    pub h3_stalls: AtomicU64,
    /// HTTP/3 connections closed because the client reset streams faster than it may.
    pub h3_floods: AtomicU64,
    /// Connections cut when a drain had lasted too long.
    pub drain_cut: AtomicU64,
    refused: [AtomicU64; RefusalReason::ALL.len()],
}

impl ServerStats {
    /// How many requests were refused for this reason.
    pub fn refused(&self, reason: RefusalReason) -> u64 {
        self.refused[reason as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count_refused(&self, reason: RefusalReason) {
        count(&self.refused[reason as usize]);
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One more now, one less when this is dropped.
pub(super) struct Held<'a>(&'a AtomicU64);

impl<'a> Held<'a> {
    pub(super) fn new(gauge: &'a AtomicU64) -> Self {
        count(gauge);
        Held(gauge)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
