//! Caches as these tests want them, and loaders that do as they are told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_cache::{Builder, Cache, Clock, ClockHand, Postcard, Timestamp, secs};
use tokio::sync::Notify;

/// How long anything may take on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Names = Cache<u64, String>;

/// A cache whose clock is moved by hand; a value is fresh for ten seconds.
pub(crate) fn names() -> (Builder<u64, String, Postcard>, ClockHand) {
    // Now, since what is in Redis expires by its own clock.
    let (clock, hand) = Clock::by_hand(Clock::system().now());
    (Cache::builder("names").clock(clock).ttl(secs(10)), hand)
}

/// The number of a moment that all tests can begin at.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_millis(1_000_000)
}

/// Counts how often it is called.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn note(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Loads this word, followed by the number of the call.
    pub(crate) fn word(
        &self,
        word: &str,
    ) -> impl Future<Output = Result<String, io::Error>> + Send + 'static {
        let (calls, word) = (self.clone(), word.to_owned());
        async move { Ok(format!("{word}{}", calls.note())) }
    }

    /// Fails, with the number of the call.
    pub(crate) fn failure(
        &self,
    ) -> impl Future<Output = Result<String, io::Error>> + Send + 'static {
        let calls = self.clone();
        async move { Err(io::Error::other(format!("down {}", calls.note()))) }
    }
}

/// A loader that begins and then waits to be let go.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    pub(crate) calls: Calls,
    begun: Arc<Notify>,
    open: Arc<Notify>,
}

impl Gate {
    pub(crate) fn word(
        &self,
        word: &str,
    ) -> impl Future<Output = Result<String, io::Error>> + Send + 'static {
        let (gate, word) = (self.clone(), word.to_owned());
        async move {
            gate.calls.note();
            gate.begun.notify_one();
            gate.open.notified().await;
            Ok(word)
        }
    }

    /// Waits until a loader has begun.
    pub(crate) async fn begun(&self) {
        tokio::time::timeout(PATIENCE, self.begun.notified()).await.unwrap();
    }

    /// Lets one loader go on.
    pub(crate) fn open(&self) {
        self.open.notify_one();
    }
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = tokio::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
