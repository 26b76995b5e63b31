//! What a caller of the cache is told when there is nothing to give him.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::key::KeyError;
use crate::error::TierFailure;
use crate::log::LogFailure;

/// Why a call gave nothing. All who waited for one load are told the same one; cloning it shares it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The loader returned an error, and nothing stale may stand in for it.
    Load(LoadError),
    /// The load failed in another process of the cluster, which said so; its log has the reason.
    LoadElsewhere,
    /// The loader panicked, with these words.
    Panicked(Arc<str>),
    /// The loader took longer than the hard limit, and was ended.
    TooSlow(Duration),
    /// This call waited for another's load for as long as it may; that load goes on.
    WaitedTooLong(Duration),
    /// What a lower tier holds could not be made into a value; nothing was kept.
    NotTransformed(LoadError),
    /// The key cannot be one.
    Key(KeyError),
    /// Others were not told: the write is not in the log of purges, or not for sure. Nothing was
    /// changed here.
    Log(LogFailure),
    /// A tier below memory may still hold what was to be removed from it.
    Tier(TierFailure),
    /// The runtime on which the load ran has ended.
    RuntimeEnded,
    /// A blocking call where none can be made, and why.
    CannotBlock(&'static str),
}

/// An error of a loader or a codec, shared by all who waited.
#[derive(Clone)]
pub struct LoadError(Arc<dyn std::error::Error + Send + Sync>);

impl LoadError {
    pub(crate) fn new(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self(Arc::from(cause))
    }

    /// The error itself, if it is of this type.
    ///
    /// ```
    /// # tokio_test(async {
    /// use forebay_cache::{Cache, Error};
    ///
    /// let cache: Cache<u32, String> = Cache::builder("numbers").build().await?;
    /// let load = || async { "x".parse::<i32>().map(|number| number.to_string()) };
    /// let Err(Error::Load(failed)) = cache.get_or_load(&1, load).await else { unreachable!() };
    /// assert!(failed.downcast_ref::<std::num::ParseIntError>().is_some());
    /// # Ok(())
    /// # });
    /// # fn tokio_test(test: impl Future<Output = Result<(), Box<dyn std::error::Error>>>) {
    /// #     let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    /// #     runtime.unwrap().block_on(test).unwrap();
    /// # }
    /// ```
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl Error {
    /// Whether something stale may stand in for it: not where the program itself is wrong.
    pub(crate) fn is_soft(&self) -> bool {
        match self {
            Error::Load(_) | Error::LoadElsewhere | Error::TooSlow(_) | Error::WaitedTooLong(_) => {
                true
            }
            Error::Panicked(_)
            | Error::NotTransformed(_)
            | Error::Key(_)
            | Error::Log(_)
            | Error::Tier(_)
            | Error::RuntimeEnded
            | Error::CannotBlock(_) => false,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Load(_) => f.write_str("cannot load the value"),
            Error::LoadElsewhere => {
                f.write_str("cannot load the value: it failed in another process")
            }
            Error::Panicked(words) => {
                write!(f, "cannot load the value: its loader panicked: {words}")
            }
            Error::TooSlow(limit) => {
                write!(f, "cannot load the value: it took longer than its hard limit of {limit:?}")
            }
            Error::WaitedTooLong(limit) => {
                write!(f, "cannot wait for the value any longer than {limit:?}; its load goes on")
            }
            Error::NotTransformed(_) => f.write_str("cannot make a value of what is stored"),
            Error::Key(why) => why.fmt(f),
            Error::Log(why) => write!(f, "cannot tell the other processes: {why}"),
            Error::Tier(why) => why.fmt(f),
            Error::RuntimeEnded => {
                f.write_str("cannot load the value: the runtime of its loader has ended")
            }
            Error::CannotBlock(why) => write!(f, "cannot block: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Load(cause) | Error::NotTransformed(cause) => Some(&*cause.0),
            Error::LoadElsewhere
            | Error::Panicked(_)
            | Error::TooSlow(_)
            | Error::WaitedTooLong(_)
            | Error::Key(_)
            | Error::Log(_)
            | Error::Tier(_)
            | Error::RuntimeEnded
            | Error::CannotBlock(_) => None,
        }
    }
}

impl From<KeyError> for Error {
    fn from(why: KeyError) -> Self {
        Error::Key(why)
    }
}
