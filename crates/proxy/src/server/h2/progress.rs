//! Whether a connection's answers move: what the client has not taken, and since when.
//!
//! A client can open its window by one byte and stop; each of its streams then holds an answer for
//! as long as it likes (the "HTTP/2 bomb" of 2026). hyper has no bound for that, so every piece of
//! an answer carries a mark here from when it is handed over until it is written or dropped.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::super::link::Link;
use super::super::streams::resets::Resets;

/// The answers of one connection that are not wholly taken. Bound by `streams_max`.
pub(super) struct Answers {
    epoch: Instant,
    live: Mutex<Vec<Weak<Progress>>>,
    /// When the last exchange ended, in milliseconds since `epoch`.
    busy: AtomicU64,
    resets: Mutex<Resets>,
    link: Arc<Link>,
}

/// How far one answer is.
pub(super) struct Progress {
    answers: Arc<Answers>,
    /// Pieces that were handed over and are not written.
    waiting: AtomicUsize,
    /// The last time that a byte was taken, in milliseconds since the answers' `epoch`.
    moved: AtomicU64,
    finished: AtomicBool,
}

impl Answers {
    /// No more than `resets_max` exchanges may be reset by the client within a second.
    pub(super) fn new(link: Arc<Link>, resets_max: usize) -> Self {
        Answers {
            epoch: Instant::now(),
            live: Mutex::default(),
            busy: AtomicU64::new(0),
            resets: Mutex::new(Resets::new(resets_max)),
            link,
        }
    }

    /// Begins to watch one exchange, until the returned value is dropped with its last piece.
    pub(super) fn begin(self: &Arc<Self>) -> Arc<Progress> {
        let progress = Arc::new(Progress {
            answers: self.clone(),
            waiting: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            finished: AtomicBool::new(false),
        });
        let mut live = self.live.lock();
        live.retain(|answer| answer.strong_count() > 0);
        live.push(Arc::downgrade(&progress));
        progress
    }

    /// Whether the client has left a piece of an answer untouched for longer than that.
    pub(super) fn stalled(&self, now: Instant, timeout: Duration) -> bool {
        let live = self.live.lock();
        live.iter().filter_map(Weak::upgrade).any(|answer| answer.untouched_for(now) > timeout)
    }

    /// How long no exchange has been under way; zero while one is.
    pub(super) fn idle_for(&self, now: Instant) -> Duration {
        if self.live.lock().iter().any(|answer| answer.strong_count() > 0) {
            return Duration::ZERO;
        }
        since(self.epoch, self.busy.load(Ordering::Relaxed), now)
    }
}

impl Answers {
    /// Whether the client resets streams too fast. h2 counts only those that were reset before they
    /// were accepted.
    pub(super) fn flooded(&self) -> bool {
        self.resets.lock().are_flood()
    }

    fn count_reset(&self) {
        let mut resets = self.resets.lock();
        resets.add();
        if resets.are_flood() {
            self.link.connection.wake();
        }
    }

    fn touch(&self, moment: &AtomicU64) {
        let passed = Instant::now().saturating_duration_since(self.epoch).as_millis();
        moment.store(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Progress {
    fn touch(&self) {
        self.answers.touch(&self.moved);
    }

    /// All of the answer was handed over; the client's leaving is no reset any more.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    fn untouched_for(&self, now: Instant) -> Duration {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return Duration::ZERO;
        }
        since(self.answers.epoch, self.moved.load(Ordering::Relaxed), now)
    }

    /// Marks a piece that is handed over.
    pub(super) fn piece(self: &Arc<Self>, bytes: Bytes) -> Piece {
        if self.waiting.fetch_add(1, Ordering::AcqRel) == 0 {
            self.touch();
        }
        Piece { bytes, progress: self.clone() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.answers.touch(&self.answers.busy);
        if !*self.finished.get_mut() {
            self.answers.count_reset();
        }
    }
}

fn since(epoch: Instant, milliseconds: u64, now: Instant) -> Duration {
    now.saturating_duration_since(epoch).saturating_sub(Duration::from_millis(milliseconds))
}

/// A piece of an answer's body on its way through HTTP/2's windows.
pub(super) struct Piece {
    bytes: Bytes,
    progress: Arc<Progress>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.progress.touch();
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.progress.touch();
        self.bytes.copy_to_bytes(length)
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.progress.touch();
        self.progress.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
