//! Bytes of a body that lie elsewhere and are read piece by piece: those of a file.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Broken;

/// A piece that is being read.
pub type Reading = Pin<Box<dyn Future<Output = Result<Bytes, Broken>> + Send + Sync>>;

/// Where the bytes of a body lie. A read never gives an empty piece before the end.
pub trait Source: Send + Sync + 'static {
    /// The piece at `at`, at most so long, if it is to be had without waiting.
    fn read_at_once(&self, at: u64, bytes_max: usize) -> Option<Result<Bytes, Broken>>;

    /// The piece at `at`, at most so long.
    fn read(self: Arc<Self>, at: u64, bytes_max: usize) -> Reading;

    /// For the tier that made it to know it again.
    fn as_any(&self) -> &(dyn std::any::Any + Send + Sync);
}
