//! A cache for threads that do not run async code: each call is a task of a runtime, and waited for.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::Cache;
use super::encoding::BoxError;
use super::error::Error;
use super::fetch;
use super::found::Found;
use super::key::CacheKey;
use super::loaded::Loaded;
use super::settings::Call;
use crate::purge::Kind;

/// A cache whose calls block the thread until they are done; see [`Cache::blocking`].
pub struct Blocking<K, V: Send + Sync + 'static> {
    cache: Cache<K, V>,
    runtime: Handle,
}

const IN_RUNTIME: &str = "this thread runs async code; await the cache itself here, and within \
                          `spawn_blocking` use `Handle::block_on`";

const ONE_THREAD: &str = "the runtime has one thread, which nobody lends it meanwhile; build a \
                          multi-threaded one";

impl<K, V: Send + Sync + 'static> Blocking<K, V> {
    pub(crate) fn new(cache: Cache<K, V>, runtime: Handle) -> Self {
        Self { cache, runtime }
    }

    /// As [`Cache::get`].
    pub fn get<Q>(&self, key: &Q) -> Result<Option<Found<V>>, Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        self.may_block()?;
        if let Some(found) = self.cache.glance(key)? {
            return Ok(Some(found));
        }
        let (shared, key) = (Arc::clone(&self.cache.shared), self.cache.key(key)?);
        self.wait(async move { shared.get(key).await })
    }

    /// As [`Cache::get_or_load`]; the loader runs on a thread that may block. One that goes on after its
    /// hard limit is not waited for, though nothing can end it.
    pub fn get_or_load<Q, L, T, E>(&self, key: &Q, load: L) -> Result<Found<V>, Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
        L: FnOnce() -> Result<T, E> + Send + 'static,
        T: Into<Loaded<V>> + Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        self.may_block()?;
        if let Some(found) = self.cache.glance(key)? {
            return Ok(found);
        }
        let (shared, key) = (Arc::clone(&self.cache.shared), self.cache.key(key)?);
        let load = |_| async {
            match tokio::task::spawn_blocking(load).await {
                Ok(loaded) => loaded.map_err(Into::into),
                Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
                Err(ended) => Err(BoxError::from(ended)),
            }
        };
        self.wait(async move { fetch::fetch(&shared, key, Call::default(), load).await })
    }

    /// As [`Cache::set`].
    pub fn set<Q>(&self, key: &Q, value: impl Into<Loaded<V>>) -> Result<(), Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let (shared, key) = (Arc::clone(&self.cache.shared), self.cache.key(key)?);
        let value = value.into();
        self.wait(async move { shared.set(key, value).await })
    }

    /// As [`Cache::delete`].
    pub fn delete<Q>(&self, key: &Q) -> Result<(), Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let (shared, key) = (Arc::clone(&self.cache.shared), self.cache.key(key)?);
        self.wait(async move { shared.delete(key).await })
    }

    /// As [`Cache::invalidate`].
    pub fn invalidate<Q>(&self, key: &Q) -> Result<(), Error>
    where
        K: Borrow<Q>,
        Q: CacheKey + ?Sized,
    {
        let (shared, key) = (Arc::clone(&self.cache.shared), self.cache.key(key)?);
        self.wait(async move { shared.invalidate(key).await })
    }

    /// As [`Cache::purge_tag`].
    pub fn purge_tag(&self, tag: &str) -> Result<(), Error> {
        let (shared, tag) = (Arc::clone(&self.cache.shared), tag.to_owned());
        self.wait(async move { shared.purge_tag(&tag, Kind::Hard).await })
    }

    /// As [`Cache::invalidate_tag`].
    pub fn invalidate_tag(&self, tag: &str) -> Result<(), Error> {
        let (shared, tag) = (Arc::clone(&self.cache.shared), tag.to_owned());
        self.wait(async move { shared.purge_tag(&tag, Kind::Soft).await })
    }

    /// As [`Cache::purge_all`].
    pub fn purge_all(&self) -> Result<(), Error> {
        let shared = Arc::clone(&self.cache.shared);
        self.wait(async move { shared.purge_all(Kind::Hard).await })
    }

    /// As [`Cache::invalidate_all`].
    pub fn invalidate_all(&self) -> Result<(), Error> {
        let shared = Arc::clone(&self.cache.shared);
        self.wait(async move { shared.purge_all(Kind::Soft).await })
    }

    // Also where nothing would have to be waited for: who may not is told before the first miss.
    fn may_block(&self) -> Result<(), Error> {
        match self.runtime.runtime_flavor() {
            RuntimeFlavor::CurrentThread => Err(Error::CannotBlock(ONE_THREAD)),
            _ if Handle::try_current().is_ok() => Err(Error::CannotBlock(IN_RUNTIME)),
            _ => Ok(()),
        }
    }

    // As a task, so that a runtime that has ended is an error and no panic.
    fn wait<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.may_block()?;
        let running = self.runtime.spawn(call);
        self.runtime.block_on(running).unwrap_or(Err(Error::RuntimeEnded))
    }
}

impl<K, V: Send + Sync + 'static> Clone for Blocking<K, V> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), runtime: self.runtime.clone() }
    }
}

impl<K, V: Send + Sync + 'static> fmt::Debug for Blocking<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").field("cache", &self.cache).finish_non_exhaustive()
    }
}
