//! Origins: choose a member, take or make a connection, send, time out.
//!
//! It knows HTTP's versions and connections (RFC 9112, RFC 9113) and nothing of caching. Read
//! [`Upstream::send`] first, then `several` and `attempt`.

mod attempt;
mod body;
mod choice;
mod connect;
mod counts;
mod dns;
mod ended;
mod h1;
mod h2;
mod health;
mod limit;
mod member;
mod pool;
mod registry;
mod request;
mod retry;
mod several;
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
pub use choice::{
    Cause, Choice, ChoiceTerms, Health, LAST_RESORT_PAUSE, MemberStanding, Nobody, Outcome, State,
    Tried, Turn, digest,
};
pub use connect::{Connect, Connecting, MemberAddress, Network, Networks};
pub use counts::{Event, counted};
pub use dns::{NotResolved, Resolve, Resolving, SystemResolver};
pub use request::RequestBody;
pub use several::MemberReading;
pub(crate) use tls::tls_to;

use self::member::Member;
use self::pool::Wanted;
use self::several::Several;
use self::tls::Tls;
use crate::answer::Duplex;
use crate::config::{Balance, MemberScheme, UpstreamSettings};
use crate::failure::{FailureKind, FetchFailure};

/// 1xx responses to one request that are passed on; further ones are dropped.
const INFORMATIONAL_MAX: usize = 16;

/// Is told of the 1xx responses before the final one, but for 100 and 101 (RFC 9110 section
/// 15.2). It must not block.
pub type Informational = Box<dyn Fn(StatusCode, HeaderMap) + Send + Sync>;

/// A set of origin servers that a route leads to, and the connections to them.
pub struct Upstream {
    lead: Lead,
    keyed: Keyed,
}

/// Where requests go.
enum Lead {
    /// To one member, with nothing to decide. It is small, for there may be very many of it.
    Plain(Arc<Member>),
    /// To one that is chosen.
    Chosen(Arc<Several>),
}

/// Whether the choice of a member heeds the cache key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyed {
    Yes,
    No,
}

/// The digest of a request's cache key, among its extensions, for an upstream that is
/// [`Upstream::is_keyed`].
#[derive(Clone, Copy, Debug)]
pub struct KeyDigest(pub u64);

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
    /// Checks the settings and reads the certificate authorities. Connects to nobody yet, but for
    /// health checks. Members that other upstreams lead to on the same terms are shared with them.
    pub fn new(
        settings: &UpstreamSettings,
        connect: Arc<dyn Connect>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let is_tls = settings.members.iter().any(|member| member.scheme == MemberScheme::Https);
        let tls = is_tls.then(|| Tls::new(settings.ca_file.as_deref())).transpose()?;
        let members = settings.members.iter();
        let mut members = members
            .map(|member| registry::member(member, settings, tls.as_ref(), &connect))
            .collect::<Result<Vec<_>, _>>()?;
        let is_plain = settings.health.is_none() && settings.requests_max.is_none();
        let lead = match members.len() {
            0 => return Err(UpstreamError::NoMembers),
            1 if is_plain => Lead::Plain(members.remove(0)),
            _ => Lead::Chosen(Several::new(members, settings)),
        };
        let keyed = if settings.balance == Balance::Hash { Keyed::Yes } else { Keyed::No };
        Ok(Arc::new(Upstream { lead, keyed }))
    }

    /// Whether requests to it should have a [`KeyDigest`].
    pub fn is_keyed(&self) -> bool {
        self.keyed == Keyed::Yes
    }

    #[cfg(test)]
    fn first(&self) -> &Arc<Member> {
        match &self.lead {
            Lead::Plain(member) => member,
            Lead::Chosen(several) => several.first(),
        }
    }

    /// How its members stand; none where there is nothing to choose.
    pub fn readings(&self) -> Vec<MemberReading> {
        match &self.lead {
            Lead::Plain(_) => Vec::new(),
            Lead::Chosen(several) => several.readings(),
        }
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
        let observer = observe.map(Observer::new);
        match &self.lead {
            Lead::Plain(member) => {
                let held = member.connection(wanted).await?;
                let answered = member.exchange(held, &mut request, wanted, observer.as_ref()).await;
                answered.map_err(|lost| lost.failure)
            }
            // Its state is large, and is not to be in the way of what is plain.
            Lead::Chosen(several) => {
                Box::pin(several.send(request, wanted, observer.as_ref())).await
            }
        }
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

    /// Whether any was passed on.
    fn has_told(&self) -> bool {
        self.0.1.load(Ordering::Relaxed) > 0
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
