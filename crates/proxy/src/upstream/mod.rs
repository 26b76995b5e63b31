//! Origins: choose a member, take or make a connection, send, time out.
//!
//! It knows HTTP's versions and connections and nothing of caching.

mod body;
mod connect;
mod dns;
mod request;

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Request, Response, StatusCode};

pub use body::OriginBody;
pub use connect::{Connect, Connecting, MemberAddress, Network};
pub use dns::{Resolve, Resolving, SystemResolver};
pub use request::RequestBody;

use crate::answer::Duplex;
use crate::config::UpstreamSettings;
use crate::failure::FetchFailure;

/// Is told of the 1xx responses before the final one, but for 100 and 101 (RFC 9110 section
/// 15.2). Called from the connection's task: it must not block.
pub type Informational = Box<dyn Fn(StatusCode, HeaderMap) + Send + Sync>;

/// A set of origin servers that a route leads to, and the connections to them.
pub struct Upstream {}

/// Why an upstream cannot be used at all.
#[derive(Debug)]
pub enum UpstreamError {}

impl Upstream {
    /// Checks the settings and reads the certificate authorities. Connects to nobody yet.
    pub fn new(
        _settings: &UpstreamSettings,
        _connect: Arc<dyn Connect>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        todo!()
    }

    /// Sends a request to a member and returns its final response head; the body follows as it
    /// is read. `Host` goes out as given, or is the member's own when there is none; the
    /// hop-by-hop fields are the caller's to remove. `Expect` is never sent. Dropping the future
    /// ends the exchange with the origin.
    pub async fn send(
        &self,
        _request: Request<RequestBody>,
        _observe: Option<Informational>,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        todo!()
    }
}

/// The connection itself after a 101 (RFC 9110 section 7.8); fails on every other response.
pub async fn tunnel(
    _response: &mut Response<OriginBody>,
) -> Result<Box<dyn Duplex>, FetchFailure> {
    todo!()
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for UpstreamError {}
