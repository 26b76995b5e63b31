//! A lease that this node holds, or may hold: renewed while it is, and owed back in every case.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::steps::{self, Holds};
use super::{Core, Keys, word};
use crate::entry::Key;
use crate::lease::{Fence, Lease, Word};

/// Tries to tell an ending.
const END_TRIES: u32 = 2;

/// The pause between them.
const END_PAUSE: Duration = Duration::from_millis(100);

/// Renewals in the span of a lease.
const RENEWALS: u32 = 3;

/// Tries in that span once a renewal was not answered.
const RENEWALS_FAILING: u32 = 10;

/// A lease that is held. Dropped without a word, it is given back.
pub(super) struct Held {
    owed: Owed,
    renewal: Renewal,
}

/// What must be given back if Redis gave it. Dropped, it is: a question that was not answered in
/// time may still have been heard.
pub(super) struct Owed {
    debt: Arc<Debt>,
    due: Due,
}

enum Due {
    Still,
    Settled,
}

/// One token, and whether Redis is known to hold it.
struct Debt {
    core: Arc<Core>,
    fence: Fence,
    keys: Keys,
    holds: AtomicBool,
    _permit: OwnedSemaphorePermit,
}

struct Renewal(AbortHandle);

impl Held {
    /// Redis gave it: it is renewed from now on.
    pub(super) fn new(owed: Owed) -> Self {
        owed.debt.holds.store(true, Ordering::Relaxed);
        let renewal = owed.debt.core.runtime.spawn(Arc::clone(&owed.debt).renew());
        Self { owed, renewal: Renewal(renewal.abort_handle()) }
    }
}

impl Lease for Held {
    fn fence(&self) -> Fence {
        self.owed.debt.fence.clone()
    }

    fn end(self: Box<Self>, word: Word) {
        let Self { owed, renewal } = *self;
        drop(renewal);
        owed.settle(word);
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Owed {
    /// Asks in the name of a new token.
    pub(super) fn new(core: &Arc<Core>, key: &Key, permit: OwnedSemaphorePermit) -> Self {
        let debt = Debt {
            core: Arc::clone(core),
            fence: Fence { key: key.clone(), token: rand::random() },
            keys: Keys::of(&core.options.names, key),
            holds: AtomicBool::new(false),
            _permit: permit,
        };
        Self { debt: Arc::new(debt), due: Due::Still }
    }

    pub(super) fn token(&self) -> &[u8; 16] {
        &self.debt.fence.token
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.debt.keys
    }

    /// Redis gave nothing.
    pub(super) fn forget(mut self) {
        self.due = Due::Settled;
    }

    fn settle(mut self, word: Word) {
        self.due = Due::Settled;
        self.debt.core.runtime.spawn(Arc::clone(&self.debt).end(word));
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        match self.due {
            Due::Settled => {}
            Due::Still => {
                self.debt.core.runtime.spawn(Arc::clone(&self.debt).end(Word::Left));
            }
        }
    }
}

impl Debt {
    // Runs until it is aborted or the lease is lost. The server counts a lease's span from when it
    // did the renewal, which was after it was sent.
    async fn renew(self: Arc<Self>) {
        let ttl = self.core.options.ttl;
        let (mut renewed_at, mut pause) = (Instant::now(), ttl / RENEWALS);
        while renewed_at.elapsed() < ttl {
            sleep(pause).await;
            let sent_at = Instant::now();
            match self.send_renewal().await {
                Some(Holds::Yes) => (renewed_at, pause) = (sent_at, ttl / RENEWALS),
                // Who waits for it need not wait for the fetch.
                Some(Holds::No) => return self.end(Word::Left).await,
                None => {
                    self.core.counts.renewals_failed.one_more();
                    pause = ttl / RENEWALS_FAILING;
                }
            }
        }
        self.lose();
    }

    async fn send_renewal(&self) -> Option<Holds> {
        let [lease, waiters, ..] = self.keys.all();
        let ttl = self.core.ttl_millis();
        let arguments: [&[u8]; 2] = [&self.fence.token, ttl.as_bytes()];
        let answer = self.core.link.run(&steps::RENEW, &[lease, waiters], &arguments).await;
        steps::read_renewed(&answer.ok()?)
    }

    // Not told at all, the lease ends by itself.
    async fn end(self: Arc<Self>, word: Word) {
        for tried in 0..END_TRIES {
            if tried > 0 {
                sleep(END_PAUSE).await;
            }
            match self.send_end(word).await {
                Some(Holds::Yes) => return,
                // A first try may have been carried out although nobody heard so.
                Some(Holds::No) if tried > 0 => return,
                Some(Holds::No) => return self.lose(),
                None => {}
            }
        }
        self.core.counts.ends_failed.one_more();
    }

    async fn send_end(&self, word: Word) -> Option<Holds> {
        let (mark, span, holds) = mark(word);
        let (word, span) = (word::written(word), word::millis(span).to_string());
        let holds = holds.to_string();
        let arguments = [
            &self.fence.token,
            word.as_bytes(),
            mark.as_bytes(),
            span.as_bytes(),
            holds.as_bytes(),
        ];
        let answer = self.core.link.run(&steps::END, &self.keys.all(), &arguments).await;
        steps::read_ended(&answer.ok()?)
    }

    fn lose(&self) {
        if self.holds.swap(false, Ordering::Relaxed) {
            self.core.counts.lost.one_more();
        }
    }
}

/// What an ending leaves behind for those who ask later: the mark, for how long, what it holds.
fn mark(word: Word) -> (&'static str, Duration, u16) {
    match word {
        Word::Stored | Word::Local => ("lift", Duration::ZERO, 0),
        Word::Unshared(span) => (if_lasting("declined", span), span, 1),
        Word::Failed(code, pause) => (if_lasting("rest", pause), pause, code),
        Word::Left => ("nothing", Duration::ZERO, 0),
    }
}

// The server takes no mark that lasts no time.
fn if_lasting(mark: &'static str, span: Duration) -> &'static str {
    if word::millis(span) > 0 { mark } else { "nothing" }
}
