//! The caches, each behind the same two calls. Values are what each of them shares most cheaply: ours
//! shares what it holds itself, the others hold an `Arc`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use forebay_cache::{Cache, Error};

/// What lies in every cache.
pub(crate) type Payload = [u8; 64];

/// How long a value is fresh, where a cache knows lifetimes.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A cache of so many entries.
pub(crate) trait Peer: Send + Sync {
    /// As tables call it.
    fn name(&self) -> &'static str;
    /// Whether it evicts at all.
    fn evicts(&self) -> bool {
        true
    }
    /// Whether it has the key; a use of it.
    fn has(&self, key: u64) -> bool;
    fn insert(&self, key: u64);
}

/// Makes each of them.
pub(crate) const MAKERS: [fn(usize) -> Box<dyn Peer>; 6] = [
    |entries| Box::new(Ours::of(entries)),
    |entries| Box::new(quick_cache::sync::Cache::<u64, Arc<Payload>>::new(entries)),
    |entries| {
        let built = moka::sync::Cache::builder().max_capacity(entries as u64);
        Box::new(MokaSync(built.time_to_live(LIFETIME).build()))
    },
    |entries| {
        let built = moka::future::Cache::builder().max_capacity(entries as u64);
        Box::new(MokaFuture(built.time_to_live(LIFETIME).build()))
    },
    |entries| Box::new(Foyer(foyer_memory::CacheBuilder::new(entries).build())),
    |_| Box::new(dashmap::DashMap::<u64, Arc<Payload>>::new()),
];

/// Finishes what does not wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing waits in memory"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Handle::current().block_on(future)
}

fn payload() -> Arc<Payload> {
    Arc::new([1; 64])
}

/// The crate, of memory alone.
pub(crate) struct Ours(Cache<u64, Payload>);

impl Ours {
    /// One whose bytes are enough for about so many entries.
    fn of(entries: usize) -> Self {
        Self::with((entries * Self::entry_bytes()) as u64)
    }

    fn with(bytes: u64) -> Self {
        let builder = Cache::builder("bench").memory(bytes).ttl(LIFETIME);
        Self(block_on(builder.build()).expect("its settings are good"))
    }

    /// What it counts for one.
    fn entry_bytes() -> usize {
        let one = Self::with(64 << 20);
        one.insert(1);
        one.0.stats().tiers.memory_bytes as usize
    }
}

impl Peer for Ours {
    fn name(&self) -> &'static str {
        "forebay-cache"
    }

    fn has(&self, key: u64) -> bool {
        at_once(self.0.get(&key)).is_ok_and(|found| found.is_some())
    }

    fn insert(&self, key: u64) {
        let set = async { self.0.set(&key, [1; 64]).await };
        let set: Result<(), Error> = at_once(set);
        set.expect("nothing can fail in memory");
    }
}

/// The crate, asked for what is fresh at once: the value alone and no future, as the others' calls are.
pub(crate) struct OursAtOnce(Ours);

impl OursAtOnce {
    pub(crate) fn of(entries: usize) -> Self {
        Self(Ours::of(entries))
    }
}

impl Peer for OursAtOnce {
    fn name(&self) -> &'static str {
        "forebay-cache, `fresh`"
    }

    fn has(&self, key: u64) -> bool {
        self.0.0.fresh(&key).is_some()
    }

    fn insert(&self, key: u64) {
        self.0.insert(key);
    }
}

impl Peer for quick_cache::sync::Cache<u64, Arc<Payload>> {
    fn name(&self) -> &'static str {
        "quick_cache (no lifetimes)"
    }

    fn has(&self, key: u64) -> bool {
        self.get(&key).is_some()
    }

    fn insert(&self, key: u64) {
        quick_cache::sync::Cache::insert(self, key, payload());
    }
}

struct MokaSync(moka::sync::Cache<u64, Arc<Payload>>);

impl Peer for MokaSync {
    fn name(&self) -> &'static str {
        "moka sync"
    }

    fn has(&self, key: u64) -> bool {
        self.0.get(&key).is_some()
    }

    fn insert(&self, key: u64) {
        self.0.insert(key, payload());
    }
}

struct MokaFuture(moka::future::Cache<u64, Arc<Payload>>);

impl Peer for MokaFuture {
    fn name(&self) -> &'static str {
        "moka future"
    }

    fn has(&self, key: u64) -> bool {
        block_briefly(self.0.get(&key)).is_some()
    }

    fn insert(&self, key: u64) {
        block_on(self.0.insert(key, payload()));
    }
}

/// Polls once, which is enough nearly always, and waits otherwise.
fn block_briefly<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => block_on(future),
    }
}

struct Foyer(foyer_memory::Cache<u64, Arc<Payload>>);

impl Peer for Foyer {
    fn name(&self) -> &'static str {
        "foyer (memory, no lifetimes)"
    }

    fn has(&self, key: u64) -> bool {
        self.0.get(&key).is_some()
    }

    fn insert(&self, key: u64) {
        self.0.insert(key, payload());
    }
}

impl Peer for dashmap::DashMap<u64, Arc<Payload>> {
    fn name(&self) -> &'static str {
        "DashMap (never evicts)"
    }

    fn evicts(&self) -> bool {
        false
    }

    fn has(&self, key: u64) -> bool {
        self.get(&key).map(|value| Arc::clone(&value)).is_some()
    }

    fn insert(&self, key: u64) {
        dashmap::DashMap::insert(self, key, payload());
    }
}
