//! Origins: choose a member, take or make a connection, send, time out.
//!
//! It knows HTTP's versions and connections (RFC 9112, RFC 9113) and nothing of caching. Read
//! [`Upstream::send`] first, then `attempt`.

mod attempt;
mod body;
mod connect;
mod dns;
mod ended;
mod h1;
mod h2;
mod member;
mod pool;
mod request;
mod tls;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::UPGRADE;
use http::{HeaderMap, Request, Response, StatusCode};

pub use body::OriginBody;
pub use connect::{Connect, Connecting, MemberAddress, Network};
pub use dns::{NotResolved, Resolve, Resolving, SystemResolver};
pub use request::{RequestBody, Said, spread};
pub(crate) use tls::tls_to;

use self::member::Member;
use self::pool::{Held, Wanted};
use self::tls::Tls;
use crate::answer::Duplex;
use crate::config::{MemberScheme, UpstreamSettings};
use crate::failure::{FailureKind, FetchFailure};

/// Members that one request tries to reach before it fails.
const MEMBERS_TRIED_MAX: usize = 3;
/// 1xx responses to one request that are passed on; further ones are dropped.
const INFORMATIONAL_MAX: usize = 16;

/// Is told of the 1xx responses before the final one, but for 100 and 101 (RFC 9110 section
/// 15.2). It must not block.
pub type Informational = Box<dyn Fn(StatusCode, HeaderMap) + Send + Sync>;

/// A set of origin servers that a route leads to, and the connections to them.
pub struct Upstream {
    members: Vec<Member>,
    turn: AtomicUsize,
}

/// Why an upstream cannot be used at all.
#[derive(Debug)]
pub enum UpstreamError {
    /// It has no members.
    NoMembers,
    /// A member's host is no name and no address.
    MemberName(String),
    /// The file of certificate authorities cannot be read.
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// Neither the system nor the settings name a certificate authority.
    NoAuthorities,
    /// TLS itself cannot be set up.
    Tls(String),
}

impl Upstream {
    /// Checks the settings and reads the certificate authorities. Connects to nobody yet.
    pub fn new(
        settings: &UpstreamSettings,
        connect: Arc<dyn Connect>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let is_tls = settings.members.iter().any(|member| member.scheme == MemberScheme::Https);
        let tls = is_tls.then(|| Tls::new(settings.ca_file.as_deref())).transpose()?;
        let members = settings
            .members
            .iter()
            .map(|member| Member::new(member, settings, tls.as_ref(), connect.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        if members.is_empty() {
            return Err(UpstreamError::NoMembers);
        }
        Ok(Arc::new(Upstream { members, turn: AtomicUsize::new(0) }))
    }

    /// Sends a request to a member and returns its final response head; the body follows as it
    /// is read. `Host` goes out as given, or is the member's own when there is none; a wish for
    /// a tunnel goes out with its `Upgrade` field; all other hop-by-hop fields are the caller's
    /// to remove. Framing is made from the body, and `Expect` is never sent. Dropping the future
    /// ends the exchange with the origin.
    pub async fn send(
        &self,
        mut request: Request<RequestBody>,
        observe: Option<Informational>,
    ) -> Result<Response<OriginBody>, FetchFailure> {
        let wanted = match request.headers().contains_key(UPGRADE) {
            true => Wanted::Http1,
            false => Wanted::Any,
        };
        let (member, held) = self.reach(wanted).await?;
        member.exchange(held, &mut request, wanted, observe.map(Observer::new)).await
    }

    /// A connection to the member whose turn it is, or to another that can be reached.
    async fn reach(&self, wanted: Wanted) -> Result<(&Member, Held), FetchFailure> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut tried = Vec::new();
        loop {
            let index = self.next(first, &tried);
            let member = &self.members[index];
            let failure = match member.connection(wanted).await {
                Ok(held) => return Ok((member, held)),
                Err(failure) => failure,
            };
            tried.push(index);
            if tried.len() >= self.members.len().min(MEMBERS_TRIED_MAX) {
                return Err(failure);
            }
            tracing::debug!("{failure}; trying the next member");
        }
    }

    /// The first member from `first` on that was not tried; one that rests only when all do.
    fn next(&self, first: usize, tried: &[usize]) -> usize {
        let count = self.members.len();
        let turns = (0..count).map(|step| first.wrapping_add(step) % count);
        let mut untried = turns.filter(|index| !tried.contains(index));
        let awake = untried.clone().find(|index| !self.members[*index].rests());
        awake.or_else(|| untried.next()).unwrap_or(first % count)
    }
}

/// The connection itself after a 101 (RFC 9110 section 7.8); fails on every other response, and
/// leaves it as it is.
pub fn tunnel(response: &mut Response<OriginBody>) -> Result<Box<dyn Duplex>, FetchFailure> {
    let tunnel = response.body_mut().take_tunnel();
    let none = || FetchFailure::new(FailureKind::Tunnel, response.body().member());
    Ok(tunnel.ok_or_else(none)?)
}

/// Passes 1xx responses on, as many as may be.
#[derive(Clone)]
struct Observer(Arc<(Informational, AtomicUsize)>);

impl Observer {
    fn new(observe: Informational) -> Self {
        Observer(Arc::new((observe, AtomicUsize::new(0))))
    }

    fn tell(&self, status: StatusCode, fields: HeaderMap) {
        let (observe, passed) = &*self.0;
        if status != StatusCode::CONTINUE
            && passed.fetch_add(1, Ordering::Relaxed) < INFORMATIONAL_MAX
        {
            observe(status, fields);
        }
    }
}

/// The innermost cause of an error, in the system's words without their numbers.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<io::Error>() {
        Some(error) if error.raw_os_error().is_some() => error.kind().to_string(),
        Some(_) | None => innermost.to_string(),
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpstreamError::NoMembers => f.write_str("cannot use an upstream: it has no members"),
            UpstreamError::MemberName(name) => {
                write!(f, "cannot use the member `{name}`: its host is no name and no address")
            }
            UpstreamError::CaFile { path, cause } => {
                write!(f, "cannot read the certificates in `{}`: {cause}", path.display())
            }
            UpstreamError::NoAuthorities => f.write_str(
                "cannot verify https members: the system has no certificate authorities and \
                 `ca_file` is not set",
            ),
            UpstreamError::Tls(cause) => write!(f, "cannot set up TLS: {cause}"),
        }
    }
}

impl Error for UpstreamError {}

#[cfg(test)]
mod tests;
