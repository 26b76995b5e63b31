//! Listeners, the accept loop, and the drain that ends it.

use std::future::Future;
use std::sync::Arc;

use super::listen::BindError;
use super::request::Service;
use super::stats::ServerStats;
use crate::config::{Limits, Listen};

/// Listeners that are bound and not yet served.
pub struct Server {
    listeners: Vec<Listen>,
    stats: Arc<ServerStats>,
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that ended by themselves within the drain's time.
    pub finished: usize,
    /// Connections that were cut at its end.
    pub cut: usize,
}

impl Server {
    /// Binds every listener, or says which cannot be bound and why. Must be called on a runtime.
    pub fn bind(_listen: &[Listen], _limits: &Limits) -> Result<Server, BindError> {
        unimplemented!()
    }

    /// Where it listens, with the ports that the system chose for port 0.
    pub fn listening(&self) -> &[Listen] {
        &self.listeners
    }

    /// Its counters, which live on after it.
    pub fn stats(&self) -> Arc<ServerStats> {
        self.stats.clone()
    }

    /// Serves until `shutdown` is ready, then drains: nothing new is accepted, idle connections are
    /// closed, exchanges under way have `drain_timeout` to finish, the rest is cut.
    pub async fn serve<S: Service>(
        self,
        _service: S,
        _shutdown: impl Future<Output = ()>,
    ) -> Drained {
        unimplemented!()
    }
}
