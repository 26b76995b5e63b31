//! What waits for the writer, in the order in which it came: bounded in bytes, and, since each entry
//! counts for a block at least, in number.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::frame::LargeFile;
use super::large::Draft;
use crate::clock::Timestamp;
use crate::error::TierFailure;
use crate::tier::Admitted;

/// What an entry counts for beyond its bytes; 64 MiB of queue hold no more than 16 384.
const ENTRY_BYTES: usize = 4 << 10;

/// Removals that wait; more wait for their turn to wait.
const REMOVALS_MAX: usize = 4_096;

/// Keys whose entry is not to be trusted any more, waiting to be written down. More are forgotten
/// only until the next start.
const FORGOTTEN_MAX: usize = 65_536;

/// Messages that the writer takes at once; their removals become durable together.
const TAKEN_MAX: usize = 256;

/// Whom to tell how it went.
pub(super) type Reply<T> = oneshot::Sender<Result<T, TierFailure>>;

/// Tells a large body's file, `None` where there is no room for it.
pub(super) type Reserved = oneshot::Sender<Option<Arc<File>>>;

/// Where the body of an entry lies that is to be stored.
pub(super) enum Lies {
    /// In its record.
    Within,
    /// In a file that was just written.
    Written(Draft),
    /// In the file of the entry that this one replaces.
    Already(LargeFile),
}

/// An entry to be stored: room for its frame, then its stored form.
pub(super) struct Store {
    pub(super) record: Vec<u8>,
    pub(super) hash: u64,
    pub(super) keep_until: Timestamp,
    pub(super) lies: Lies,
    /// How often its key had been removed when it came.
    pub(super) mark: u64,
    pub(super) now: Timestamp,
    pub(super) reply: Reply<Admitted>,
    pub(super) permit: OwnedSemaphorePermit,
}

/// What the writer is asked for.
pub(super) enum Message {
    Store(Box<Store>),
    /// Its slot is hidden already.
    Remove {
        hash: u64,
        reply: Reply<()>,
        _permit: OwnedSemaphorePermit,
    },
    /// What its hidden slot leads to is damaged, or older than what could not be stored.
    Forget {
        hash: u64,
    },
    /// Room for so many bytes of a large body; there are few of those.
    /// Answered with its file, or without where there is no room.
    Reserve {
        id: u64,
        bytes: u64,
        now: Timestamp,
        reply: Reserved,
    },
    /// A large body that was not finished: its file, and what was reserved for it, go.
    Discard {
        id: u64,
    },
    /// All that came before is durable when this is answered.
    Sync(Reply<()>),
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Message>,
    forgotten: usize,
    is_closed: bool,
}

/// What waits for the writer.
pub(super) struct Queue {
    state: Mutex<State>,
    is_ready: Condvar,
    bytes: Arc<Semaphore>,
    removals: Arc<Semaphore>,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            is_ready: Condvar::new(),
            bytes: Arc::new(Semaphore::new(bytes_max.min(Semaphore::MAX_PERMITS))),
            removals: Arc::new(Semaphore::new(REMOVALS_MAX)),
        }
    }

    /// Room for an entry of so many bytes, if there is any now.
    pub(super) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes.saturating_add(ENTRY_BYTES)).ok()?;
        Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()
    }

    /// Waits for room for a removal.
    pub(super) async fn room_for_removal(&self) -> Result<OwnedSemaphorePermit, TierFailure> {
        let room = Arc::clone(&self.removals).acquire_owned().await;
        room.map_err(|_| TierFailure::new("cannot remove from the disk: it is closed"))
    }

    /// Appends; the message is dropped, and whom it would answer is told so, when closed.
    pub(super) fn push(&self, message: Message) {
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        if let Message::Forget { .. } = message {
            if state.forgotten >= FORGOTTEN_MAX {
                return;
            }
            state.forgotten += 1;
        }
        state.waiting.push_back(message);
        drop(state);
        self.is_ready.notify_one();
    }

    /// Waits for messages, no longer than until then. `None` when closed and empty.
    pub(super) fn take(&self, until: Option<Instant>) -> Option<VecDeque<Message>> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && !state.is_closed {
            match until {
                Some(until) => {
                    if self.is_ready.wait_until(&mut state, until).timed_out() {
                        break;
                    }
                }
                None => self.is_ready.wait(&mut state),
            }
        }
        if state.waiting.is_empty() && state.is_closed {
            return None;
        }
        let count = state.waiting.len().min(TAKEN_MAX);
        let taken: VecDeque<_> = state.waiting.drain(..count).collect();
        let forgotten = taken.iter().filter(|message| matches!(message, Message::Forget { .. }));
        state.forgotten -= forgotten.count();
        Some(taken)
    }

    /// Takes no more; what waits is still done.
    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.removals.close();
        self.is_ready.notify_all();
    }
}
