//! Origins: choose a member, take or make a connection, send, time out.
//!
//! It knows HTTP's versions and connections (RFC 9112, RFC 9113) and nothing of caching. Read
//! [`Upstream::send`] first, then `several` and `attempt`.

mod attempt;
mod body;
mod choice;
mod connect;
mod counts;
mod destination;
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
mod tries;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::UPGRADE;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::time::Instant;

pub use body::OriginBody;
pub use choice::{
    Cause, Choice, ChoiceTerms, Health, LAST_RESORT_PAUSE, MemberStanding, Nobody, Outcome, State,
    Tried, Turn, digest,
};
pub use connect::{Connect, Connecting, MemberAddress, Network, Networks};
pub use counts::{Event, counted};
pub use destination::{Destinations, Interfaces, Local, Own, Refused, RefusedWhy};
pub use dns::{NotResolved, Resolve, Resolving, SystemResolver};
pub use request::{KeyHash, RequestBody, Said, spread};
pub use several::MemberReading;
pub(crate) use tls::tls_to;

use self::member::Member;
use self::pool::Wanted;
use self::several::Several;
use self::tls::Tls;
use crate::answer::Duplex;
use crate::config::{MemberScheme, UpstreamSettings};
use crate::failure::{FailureKind, FetchFailure};

/// 1xx responses to one request that are passed on; further ones are dropped.
const INFORMATIONAL_MAX: usize = 16;

/// Is told of the 1xx responses before the final one, but for 100 and 101 (RFC 9110 section
/// 15.2). It must not block.
pub type Informational = Box<dyn Fn(StatusCode, HeaderMap) + Send + Sync>;

/// A set of origin servers that a route leads to, and the connections to them.
pub struct Upstream {
    lead: Lead,
}

/// Where requests go.
enum Lead {
    /// To one member. It is small, for there may be very many of it.
    Plain(Arc<Member>, Arc<Choice>),
    /// To one that is chosen, checked, or bounded.
    Chosen(Arc<Several>),
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
    /// Checks the settings and reads the certificate authorities. Connects to nobody yet, but for
    /// health checks. Members that other upstreams lead to on the same terms are shared with them.
    pub fn new(
        settings: &UpstreamSettings,
        connect: Arc<dyn Connect>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let fresh = |terms, weighted: &[(&str, u32)]| {
            Choice::new(terms, weighted.iter().copied(), rand::random(), Instant::now())
        };
        Upstream::choosing(settings, connect, fresh)
    }

    /// The upstream after a change of settings: members that it has already keep their connections
    /// and their standing.
    pub fn succeeded_by(
        &self,
        settings: &UpstreamSettings,
        connect: Arc<dyn Connect>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let after = |terms, weighted: &[(&str, u32)]| {
            self.choice().succeeded_by(terms, weighted.iter().copied(), Instant::now())
        };
        Upstream::choosing(settings, connect, after)
    }

    fn choosing(
        settings: &UpstreamSettings,
        connect: Arc<dyn Connect>,
        choice: impl FnOnce(ChoiceTerms, &[(&str, u32)]) -> Arc<Choice>,
    ) -> Result<Arc<Upstream>, UpstreamError> {
        let is_tls = settings.members.iter().any(|member| member.scheme == MemberScheme::Https);
        let tls = is_tls.then(|| Tls::new(settings.ca_file.as_deref())).transpose()?;
        let members = settings.members.iter();
        let members = members
            .map(|member| registry::member(member, settings, tls.as_ref(), &connect))
            .collect::<Result<Vec<_>, _>>()?;
        let terms = ChoiceTerms {
            balance: settings.balance,
            ejection: settings.ejection.clone(),
            slow_start: settings.slow_start,
        };
        let is_plain = settings.health.is_none() && settings.requests_max.is_none();
        let lead = match &*members {
            [] => return Err(UpstreamError::NoMembers),
            [only] if is_plain => {
                let choice = only.choices.on(&terms, || choice(terms.clone(), &[(&only.name, 1)]));
                Lead::Plain(only.clone(), choice)
            }
            several => {
                let names = several.iter().map(|member| &*member.name);
                let weights = settings.members.iter().map(|member| member.weight);
                let weighted: Vec<(&str, u32)> = names.zip(weights).collect();
                let choice = choice(terms, &weighted);
                Lead::Chosen(Several::new(members, choice, settings))
            }
        };
        Ok(Arc::new(Upstream { lead }))
    }

    fn choice(&self) -> &Arc<Choice> {
        match &self.lead {
            Lead::Plain(_, choice) => choice,
            Lead::Chosen(several) => several.choice(),
        }
    }

    /// Whether members are chosen by the cache key, so that the request must bear a [`KeyHash`].
    pub fn chooses_by_key(&self) -> bool {
        match &self.lead {
            Lead::Plain(..) => false,
            Lead::Chosen(several) => several.choice().chooses_by_key(),
        }
    }

    /// How its members stand, in the order of the settings.
    pub fn readings(&self) -> Vec<MemberReading> {
        match &self.lead {
            Lead::Plain(member, choice) => {
                let standings = choice.snapshot(Instant::now()).into_iter();
                standings.map(|standing| MemberReading::of(member, standing)).collect()
            }
            Lead::Chosen(several) => several.readings(),
        }
    }

    #[cfg(test)]
    fn first(&self) -> &Arc<Member> {
        match &self.lead {
            Lead::Plain(member, _) => member,
            Lead::Chosen(several) => several.first(),
        }
    }

    /// Sends a request to a member and returns its final response head; the body follows as it
    /// is read. `Host` goes out as given, or is the member's own when there is none; a wish for
    /// a tunnel goes out with its `Upgrade` field; all other hop-by-hop fields are the caller's
    /// to remove. Framing is made from the body, and `Expect` is never sent. Dropping the future
    /// ends the exchange with the origin.
    // No `async fn`: that would hold the request twice.
    pub fn send(
        &self,
        mut request: Request<RequestBody>,
        observe: Option<Informational>,
    ) -> impl Future<Output = Result<Response<OriginBody>, FetchFailure>> + Send {
        let observer = observe.map(Observer::new);
        let wanted = match request.headers().contains_key(UPGRADE) {
            true => Wanted::Http1,
            false => Wanted::Any,
        };
        async move {
            match &self.lead {
                Lead::Plain(member, choice) => {
                    let entered = tries::enter_only(member, choice)?;
                    let asked = entered.ask(member, &mut request, wanted, observer.as_ref());
                    asked.await.map_err(|lost| lost.failure)
                }
                // Its state is large, and is not to be in the way of what is plain.
                Lead::Chosen(several) => {
                    Box::pin(several.send(&mut request, wanted, observer.as_ref())).await
                }
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
