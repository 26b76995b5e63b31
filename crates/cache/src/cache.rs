//! The typed cache around any async function: memory first, then disk and Redis, then the loader.
//!
//! Read [`Cache`]. What it does with a look-up is in `cache/fetch.rs`, with a load in `cache/load.rs`,
//! with a write in `cache/write.rs`. Beneath it are the same tiers, flights, leases and log that the
//! gateway drives: [`mechanism`](crate::mechanism).

mod blocking;
mod builder;
#[cfg(feature = "stored")]
mod encoded;
mod encoding;
mod error;
mod events;
mod fetch;
mod found;
mod kept;
mod key;
mod load;
mod loaded;
#[cfg(feature = "stored")]
mod lower;
#[cfg(feature = "redis")]
mod redis;
mod settings;
mod shared;
mod stats;
#[cfg(feature = "stored")]
mod stored;
mod write;

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

pub use blocking::Blocking;
pub use builder::{BuildError, Builder, NAME_BYTES_MAX};
#[cfg(feature = "stored")]
pub use encoding::Transformed;
pub use encoding::{BoxError, Codec, Postcard, Undecoded};
pub use error::{Error, LoadError};
pub use events::{Event, Events, Eviction, Lagged};
pub use fetch::Fetch;
pub use found::{Found, Freshness, Left, Level, Value};
#[cfg(feature = "serde")]
pub use key::SerdeKey;
pub use key::{CacheKey, KEY_BYTES_MAX, KeyError, KeyWriter};
pub use loaded::{Loaded, Ttl};
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisBuilder, RedisError};
pub use stats::{Sample, Stats};

use crate::entry::Key;
use crate::purge::Kind;
use kept::Use;
use settings::Call;
use shared::Shared;

/// How long closing waits for what is under way on the disk, and how often it looks.
#[cfg(feature = "disk")]
const CLOSE_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(5);
#[cfg(feature = "disk")]
const CLOSE_PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

/// A cache of values under keys, around a function that loads them. Cloning it shares it.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// use forebay_cache::{Cache, MIB, minutes};
///
/// let squares: Cache<u64, u64> =
///     Cache::builder("squares").memory(MIB).ttl(minutes(5)).build().await?;
/// let load = || async { Ok::<_, std::io::Error>(12 * 12) };
/// let found = squares.get_or_load(&12, load).await?;
/// assert_eq!(found.value.as_deref(), Some(&144));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Cache<K, V: Send + Sync + 'static> {
    shared: Arc<Shared<V>>,
    keys: PhantomData<fn(&K)>,
}

impl<K, V: Send + Sync + 'static> Cache<K, V> {
    /// Begins a cache of this name. Caches of different names share nothing, though they share a
    /// Redis; two of one name in it are one.
    pub fn builder(name: impl Into<String>) -> Builder<K, V, Postcard> {
        Builder::new(name.into(), Postcard)
    }

    fn of(shared: Shared<V>) -> Self {
        Self { shared: Arc::new(shared), keys: PhantomData }
    }

    /// What the tiers hold, never the loader: fresh, or stale where that may be given at once. `None`
    /// says that nothing is cached; a `Found` without a value, that it is known not to exist.
    pub async fn get<Q>(&self, key: &Q) -> Result<Option<Found<V>>, Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        match self.glance(key)? {
            Some(found) => Ok(Some(found)),
            // Boxed, so that a hit does not carry it along.
            None => Box::pin(self.shared.get(self.key(key)?)).await,
        }
    }

    /// The value that memory holds fresh, at once and without a future: the cheapest hit. It counts as a
    /// use. `None` says only that [`Cache::get`] or [`Cache::get_or_load`] is to be asked: the value may be
    /// stale, about to be loaded ahead, below memory, known not to exist, or not cached.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// # use forebay_cache::Cache;
    /// # let squares: Cache<u64, u64> = Cache::builder("squares").build().await?;
    /// squares.set(&12, 144).await?;
    /// assert_eq!(squares.fresh(&12).as_deref(), Some(&144));
    /// assert!(squares.fresh(&13).is_none());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    pub fn fresh<Q>(&self, key: &Q) -> Option<Value<V>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let mut writer = KeyWriter::from_begin(&self.shared.begin);
        key.write(&mut writer);
        self.shared.fresh(writer.bytes().ok()?)
    }

    /// What the tiers hold, or else what the loader returns, which is then cached.
    ///
    /// Of many callers at once, in this process and with Redis in the whole cluster, one calls its
    /// loader and the others get the same value or error. The loader's future runs in a task of its
    /// own: it goes on when the caller leaves. It returns a value, an `Option` of one, or [`Loaded`].
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub async fn get_or_load<Q, L, W, T, E>(&self, key: &Q, load: L) -> Result<Found<V>, Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        L: FnOnce() -> W + Send,
        W: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Loaded<V>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.glance(key)? {
            Some(found) => Ok(found),
            // Boxed, as in `get`.
            None => {
                let load = |_: Option<Value<V>>| load();
                Box::pin(fetch::fetch(&self.shared, self.key(key)?, Call::default(), load)).await
            }
        }
    }

    /// A call with terms of its own.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// # use forebay_cache::{Cache, millis, secs};
    /// # let users: Cache<u64, String> = Cache::builder("users").build().await?;
    /// let load = || async { Ok::<_, std::io::Error>("ann".to_owned()) };
    /// let ann = users.fetch(&7).ttl(secs(90)).tags(["eu"]).hard_limit(millis(500)).load(load).await?;
    /// # assert!(ann.is_fresh());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn fetch<Q>(&self, key: &Q) -> Fetch<'_, V>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        Fetch::new(&self.shared, &self.written(key))
    }

    /// Many calls, so many of them at once at most; each has its own result, in the same order.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// # use forebay_cache::{Cache, secs};
    /// # let squares: Cache<u64, u64> = Cache::builder("squares").build().await?;
    /// let calls = [1_u64, 2, 3].map(|number| {
    ///     let load = move || async move { Ok::<_, std::io::Error>(number * number) };
    ///     squares.fetch(&number).ttl(secs(number)).load(load)
    /// });
    /// let found = squares.get_many(calls, 2).await;
    /// assert!(found.iter().all(|found| found.is_ok()));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn get_many<C>(
        &self,
        calls: impl IntoIterator<Item = C>,
        at_once_max: usize,
    ) -> Vec<Result<Found<V>, Error>>
    where
        C: Future<Output = Result<Found<V>, Error>>,
    {
        stream::iter(calls).buffered(at_once_max.max(1)).collect().await
    }

    /// What memory holds, fresh or stale, without counting it as a use. Nothing is waited for.
    pub fn peek<Q>(&self, key: &Q) -> Option<Found<V>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let writer = self.written(key);
        let bytes = writer.bytes().ok()?;
        let entry = self.shared.tiers.peek(bytes)?;
        self.shown(&entry, bytes, Level::Memory)
    }

    /// What each level holds, the nearest first, fresh or stale. Nothing is promoted or counted as a
    /// use.
    pub async fn peek_levels<Q>(&self, key: &Q) -> Vec<Found<V>>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let Ok(key) = self.written(key).bytes().map(Key::from) else { return Vec::new() };
        let all = self.shared.tiers.survey(&key).await;
        let shown = all
            .iter()
            .filter_map(|held| self.shown(&held.entry, key.as_bytes(), Level::of_tier(held.tier)));
        shown.collect()
    }

    /// Puts a value in place of what is cached or being loaded under the key, in all levels. In every
    /// process that shares the Redis, what was there before is gone when this returns.
    pub async fn set<Q>(&self, key: &Q, value: impl Into<Loaded<V>>) -> Result<(), Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        self.shared.set(self.key(key)?, value.into()).await
    }

    /// Forgets what is cached or being loaded under the key, in all levels and processes.
    pub async fn delete<Q>(&self, key: &Q) -> Result<(), Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        self.shared.delete(self.key(key)?).await
    }

    /// Makes what is cached under the key stale, in all levels and processes: it is loaded anew when
    /// it is asked for, and may stand in meanwhile as its stale windows say.
    pub async fn invalidate<Q>(&self, key: &Q) -> Result<(), Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        self.shared.invalidate(self.key(key)?).await
    }

    /// Forgets all values with this tag, in all levels and processes, however many there are.
    pub async fn purge_tag(&self, tag: &str) -> Result<(), Error> {
        self.shared.purge_tag(tag, Kind::Hard).await
    }

    /// Makes all values with this tag stale, as [`Cache::invalidate`] does with one.
    pub async fn invalidate_tag(&self, tag: &str) -> Result<(), Error> {
        self.shared.purge_tag(tag, Kind::Soft).await
    }

    /// Forgets all values of this cache, in all levels and processes.
    pub async fn purge_all(&self) -> Result<(), Error> {
        self.shared.purge_all(Kind::Hard).await
    }

    /// Makes all values of this cache stale, as [`Cache::invalidate`] does with one.
    pub async fn invalidate_all(&self) -> Result<(), Error> {
        self.shared.purge_all(Kind::Soft).await
    }

    /// The same cache for threads that run no async code. What it does runs on this runtime, which must
    /// be a multi-threaded one; called on a thread of any runtime, it is an error.
    ///
    /// ```
    /// use forebay_cache::Cache;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    /// let squares: Cache<u64, u64> = runtime.block_on(Cache::builder("squares").build())?;
    /// let squares = squares.blocking(runtime.handle());
    /// let found = squares.get_or_load(&12, || Ok::<_, std::io::Error>(12 * 12))?;
    /// assert_eq!(found.value.as_deref(), Some(&144));
    /// # Ok(())
    /// # }
    /// ```
    pub fn blocking(&self, runtime: &tokio::runtime::Handle) -> Blocking<K, V> {
        Blocking::new(self.clone(), runtime.clone())
    }

    /// Listens to what happens from now on.
    pub fn events(&self) -> Events {
        self.shared.teller.listen()
    }

    /// All counts, now.
    pub fn stats(&self) -> Stats {
        self.shared.counts.snapshot(&self.shared.name, self.shared.tiers.snapshot())
    }

    /// The cache's name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Writes to the disk what waits for it, stores no more there, and gives the directory back if this
    /// is the last clone. What is dropped without this loses the last second of it at most, and nothing
    /// else.
    pub async fn close(self) {
        let shared = self.shared;
        let sweeping = shared.sweeping.lock().take();
        if let Some(sweeping) = sweeping {
            sweeping.abort();
            // It holds the tiers; aborted is how it ends.
            let _ = sweeping.await;
        }
        #[cfg(feature = "disk")]
        if let Some(disk) = shared.disk.clone() {
            let held = Arc::downgrade(&disk);
            // A disk that panicked has said so.
            let _ = tokio::task::spawn_blocking(move || disk.close()).await;
            let is_last = Arc::strong_count(&shared) == 1;
            drop(shared);
            // What is being removed behind holds it for a moment.
            let given_back = async {
                while is_last && held.strong_count() > 0 {
                    tokio::time::sleep(CLOSE_PAUSE).await;
                }
            };
            let _ = tokio::time::timeout(CLOSE_WAIT_MAX, given_back).await;
        }
    }

    fn shown(&self, entry: &shared::Held<V>, key: &[u8], level: Level) -> Option<Found<V>> {
        let now = self.shared.clock.now();
        let seen = self.shared.seen(Arc::clone(entry), key, level, now)?;
        let freshness = match seen.what {
            Use::Fresh => Freshness::Fresh,
            Use::WhileRefresh | Use::OnError | Use::Nothing => Freshness::Stale,
        };
        kept::found(seen.entry, level, freshness, seen.until, now).ok()
    }

    fn key<Q: CacheKey + ?Sized>(&self, key: &Q) -> Result<Key, Error> {
        Ok(Key::from(self.written(key).bytes()?))
    }

    // The writer stays where it is: moving what was just written by parts waits for all of it.
    #[inline]
    fn glance<Q: CacheKey + ?Sized>(&self, key: &Q) -> Result<Option<Found<V>>, Error> {
        let mut writer = KeyWriter::from_begin(&self.shared.begin);
        key.write(&mut writer);
        Ok(self.shared.glance(writer.bytes()?))
    }

    fn written<Q: CacheKey + ?Sized>(&self, key: &Q) -> KeyWriter {
        let mut writer = KeyWriter::from_begin(&self.shared.begin);
        key.write(&mut writer);
        writer
    }
}

impl<K, V: Send + Sync + 'static> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), keys: PhantomData }
    }
}

impl<K, V: Send + Sync + 'static> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Cache");
        shown.field("name", &self.shared.name).field("tiers", &self.shared.tiers).finish()
    }
}
