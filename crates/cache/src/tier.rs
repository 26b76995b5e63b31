//! What a level below memory must do.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::entry::{Entry, Key};
use crate::error::TierFailure;
use crate::memory::Admitted;

/// What a tier answers, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, TierFailure>> + Send + 'a>>;

/// One level of the cache. Bodies flow both ways while they arrive.
pub trait Tier<H>: Send + Sync + 'static {
    /// The word for it in statistics and in `Cache-Status`.
    fn name(&self) -> &'static str;
    /// Finds what it holds; the body may still be arriving.
    fn look_up<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Arc<Entry<H>>>>;
    /// Takes an entry, whose body may still be arriving; nothing is held unless it ends whole.
    fn put<'a>(&'a self, key: &'a Key, entry: Arc<Entry<H>>) -> Answer<'a, Admitted>;
    /// Holds nothing under the key from then on.
    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()>;
}
