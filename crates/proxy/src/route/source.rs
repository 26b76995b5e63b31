//! Where routes are read: the face of a connection that tells of every later change.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use forebay_cache::redis::{LinkFailure, Tracked};
pub use forebay_cache::redis::{Stored, Told};

/// An answer that is under way.
pub type Awaited<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads keys, and hears of every later change of what it has read.
pub trait Source: Send + Sync + 'static {
    /// The values, in one round trip and in this order; `None` where there is none. What is not
    /// there is listened for as well.
    fn read<'a>(
        &'a self,
        keys: &'a [Vec<u8>],
        limit: Duration,
    ) -> Awaited<'a, Result<Vec<Option<Stored>>, LinkFailure>>;

    /// The next that is heard, in order.
    fn told(&self) -> Awaited<'_, Told>;

    /// Whether it is connected; in a cluster, to every primary.
    fn is_up(&self) -> bool;

    /// Whether it is connected to no server at all.
    fn is_away(&self) -> bool;

    /// Whether it is connected to the server that has this key.
    fn reaches(&self, key: &[u8]) -> bool;
}

impl Source for Tracked {
    fn read<'a>(
        &'a self,
        keys: &'a [Vec<u8>],
        limit: Duration,
    ) -> Awaited<'a, Result<Vec<Option<Stored>>, LinkFailure>> {
        Box::pin(Tracked::read(self, keys, limit))
    }

    fn told(&self) -> Awaited<'_, Told> {
        Box::pin(Tracked::told(self))
    }

    fn is_up(&self) -> bool {
        Tracked::is_up(self)
    }

    fn is_away(&self) -> bool {
        Tracked::is_away(self)
    }

    fn reaches(&self, key: &[u8]) -> bool {
        Tracked::reaches(self, key)
    }
}

#[cfg(test)]
pub(crate) mod fake;
