//! One origin server: its name, its pool, and how a connection to it is made.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::HeaderValue;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::choice::{Choice, ChoiceTerms};
use super::connect::{Connect, MemberAddress};
use super::destination::Refused;
use super::dns::NotResolved;
use super::health::Watches;
use super::limit::{Limit, LimitTerms};
use super::pool::{Held, Pool, PoolLimits, Room, Wanted};
use super::tls::{Spoken, Tls, explain};
use super::{UpstreamError, cause, h1, h2, registry};
use crate::config::{MemberScheme, MemberSettings, UpstreamSettings};
use crate::failure::{FailureKind, FetchFailure};

/// One origin server and the connections to it. Upstreams that lead to it on the same terms share
/// it; when the last of them lets go, its idle connections close, and the others as their exchanges
/// end.
pub(super) struct Member {
    pub(super) name: Arc<str>,
    pub(super) terms: MemberTerms,
    /// What goes into `Host` when the request has none.
    pub(super) host: HeaderValue,
    tls: Option<(Tls, ServerName<'static>)>,
    connect: Arc<dyn Connect>,
    naming: Naming,
    pool: Arc<Pool>,
    /// What the last connection spoke; see [`Member::dials_alone`].
    spoken: AtomicU8,
    dialling: tokio::sync::Mutex<()>,
    /// The bound on requests at once, where there is one.
    pub(super) limit: Option<Box<Limit>>,
    /// Who asks it whether it is well.
    pub(super) watches: Watches,
    /// Its standing where it is the only one.
    pub(super) choices: Choices,
}

/// Where a member is and how it is spoken to: what makes two of them the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MemberTerms {
    scheme: MemberScheme,
    address: MemberAddress,
    server_name: Option<Box<str>>,
    pub(super) times: Times,
    pool: PoolLimits,
    limit: Option<LimitTerms>,
    head_bytes_max: usize,
    /// Which authorities are trusted, and by whom connections are made. A member keeps both alive,
    /// so that nothing else has these numbers.
    tls: usize,
    connect: usize,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Times {
    connect: Duration,
    pub(super) send: Duration,
    pub(super) read: Duration,
}

/// The values of [`Member::spoken`].
const SPOKEN_NOTHING: u8 = 0;
const SPOKEN_HTTP1: u8 = 1;
const SPOKEN_HTTP2: u8 = 2;

impl MemberTerms {
    pub(super) fn of(
        settings: &MemberSettings,
        upstream: &UpstreamSettings,
        tls: Option<&Tls>,
        connect: &Arc<dyn Connect>,
    ) -> Self {
        let is_tls = settings.scheme == MemberScheme::Https;
        MemberTerms {
            scheme: settings.scheme,
            address: address(settings),
            server_name: upstream.server_name.as_deref().filter(|_| is_tls).map(Box::from),
            times: Times {
                connect: upstream.connect_timeout,
                send: upstream.send_timeout,
                read: upstream.read_timeout,
            },
            pool: PoolLimits {
                connections_max: upstream.connections_max,
                idle_connections_max: upstream.idle_connections_max,
                idle_timeout: upstream.idle_timeout,
            },
            limit: upstream.requests_max.map(|requests_max| LimitTerms {
                requests_max,
                queue_max: upstream.queue_max,
                queue_timeout: upstream.queue_timeout,
            }),
            head_bytes_max: upstream.head_bytes_max,
            tls: tls.filter(|_| is_tls).map_or(0, Tls::id),
            connect: Arc::as_ptr(connect).cast::<()>() as usize,
        }
    }
}

impl Member {
    /// A member of these settings, of which the terms were made.
    pub(super) fn new(
        terms: MemberTerms,
        settings: &MemberSettings,
        tls: Option<&Tls>,
        connect: Arc<dyn Connect>,
    ) -> Result<Member, UpstreamError> {
        let name: Arc<str> = Arc::from(name(settings));
        let unusable = || UpstreamError::MemberName(name.to_string());
        let tls = match (settings.scheme, tls) {
            (MemberScheme::Https, Some(tls)) => {
                let server = terms.server_name.as_deref().unwrap_or(&settings.host).to_owned();
                Some((tls.clone(), ServerName::try_from(server).map_err(|_| unusable())?))
            }
            (MemberScheme::Https, None) => return Err(UpstreamError::NoAuthorities),
            (MemberScheme::Http | MemberScheme::H2c | MemberScheme::Unix, _) => None,
        };
        let host = HeaderValue::try_from(host_field(settings)).map_err(|_| unusable())?;
        Ok(Member::made(name, host, terms, tls, connect))
    }

    fn made(
        name: Arc<str>,
        host: HeaderValue,
        terms: MemberTerms,
        tls: Option<(Tls, ServerName<'static>)>,
        connect: Arc<dyn Connect>,
    ) -> Member {
        let spoken = match terms.scheme {
            MemberScheme::Http | MemberScheme::Unix => SPOKEN_HTTP1,
            MemberScheme::H2c => SPOKEN_HTTP2,
            MemberScheme::Https => SPOKEN_NOTHING,
        };
        Member {
            name,
            host,
            tls,
            connect,
            naming: Naming::of(&terms.address),
            pool: Pool::new(terms.pool),
            spoken: AtomicU8::new(spoken),
            dialling: tokio::sync::Mutex::default(),
            limit: terms.limit.map(|terms| Box::new(Limit::new(terms))),
            watches: Watches::default(),
            choices: Choices::default(),
            terms,
        }
    }

    /// The same origin server with a connection of its own, which is not kept: for one who asks
    /// whether it is well, within this time.
    pub(super) fn apart(&self, timeout: Duration) -> Member {
        let terms = MemberTerms {
            times: Times { connect: timeout, send: timeout, read: timeout },
            pool: PoolLimits { connections_max: 1, idle_connections_max: 0, ..self.terms.pool },
            limit: None,
            ..self.terms.clone()
        };
        let (name, host) = (self.name.clone(), self.host.clone());
        Member::made(name, host, terms, self.tls.clone(), self.connect.clone())
    }

    /// A connection for one exchange: an idle one, or a new one within `connect_timeout`.
    pub(super) async fn connection(&self, wanted: Wanted) -> Result<Held, FetchFailure> {
        let wanted = self.possible(wanted);
        let generation = self.generation();
        match self.pool.take_at_once(wanted, generation) {
            Some(held) => Ok(held),
            // Its state is large, and would be in the way of every exchange that need not wait.
            None => Box::pin(self.connection_in_turn(wanted, generation)).await,
        }
    }

    async fn connection_in_turn(
        &self,
        wanted: Wanted,
        generation: u64,
    ) -> Result<Held, FetchFailure> {
        let deadline = Instant::now() + self.terms.times.connect;
        let full = || self.failure(FailureKind::PoolFull);
        let turn = self.pool.queue().ok_or_else(full)?;
        let mut alone = match self.dials_alone(wanted) {
            Alone::No => None,
            Alone::Yes => Some(self.within(deadline, self.dialling.lock()).await?),
        };
        if self.dials_alone(wanted) == Alone::No {
            // The one before us found that there is nothing to share.
            alone = None;
        }
        let room = timeout_at(deadline, self.pool.room(wanted, generation)).await;
        drop(turn);
        match room.map_err(|_| full())? {
            Room::Taken(held) => Ok(held),
            Room::Place(place) => {
                let held = self.dial_until(deadline, place, wanted).await;
                drop(alone);
                held
            }
        }
    }

    /// A connection other than the one that just failed: a new one, but where connections are
    /// shared, the one that all who lost the old one share.
    pub(super) async fn another_connection(&self, wanted: Wanted) -> Result<Held, FetchFailure> {
        let wanted = self.possible(wanted);
        if self.dials_alone(wanted) == Alone::Yes {
            return self.connection(wanted).await;
        }
        let deadline = Instant::now() + self.terms.times.connect;
        let full = || self.failure(FailureKind::PoolFull);
        let turn = self.pool.queue().ok_or_else(full)?;
        let place = timeout_at(deadline, self.pool.place()).await.map_err(|_| full())?;
        drop(turn);
        self.dial_until(deadline, place, wanted).await
    }

    /// Connects.
    async fn dial_until(
        &self,
        deadline: Instant,
        place: OwnedSemaphorePermit,
        wanted: Wanted,
    ) -> Result<Held, FetchFailure> {
        self.within(deadline, self.dial(place, wanted)).await.flatten()
    }

    /// See [`Connect::generation`]. An address leads to itself, and is not looked up for each request.
    fn generation(&self) -> u64 {
        match self.naming {
            Naming::Name => self.connect.generation(&self.terms.address),
            Naming::Address => 0,
        }
    }

    /// With prior knowledge of HTTP/2 there is no HTTP/1.1; the origin then ignores the wish for
    /// a tunnel, as RFC 9110 section 7.8 lets it.
    fn possible(&self, wanted: Wanted) -> Wanted {
        match self.terms.scheme {
            MemberScheme::H2c => Wanted::Any,
            MemberScheme::Http | MemberScheme::Https | MemberScheme::Unix => wanted,
        }
    }

    /// The URI scheme of requests to it.
    pub(super) fn uri_scheme(&self) -> http::uri::Scheme {
        match self.terms.scheme {
            MemberScheme::Https => http::uri::Scheme::HTTPS,
            MemberScheme::Http | MemberScheme::H2c | MemberScheme::Unix => http::uri::Scheme::HTTP,
        }
    }

    /// Whether others wait while one connects, since what comes of it may be shared. So many
    /// requests at once do not make many connections where one will do.
    fn dials_alone(&self, wanted: Wanted) -> Alone {
        match (wanted, self.spoken.load(Ordering::Relaxed)) {
            (Wanted::Http1, _) | (Wanted::Any, SPOKEN_HTTP1) => Alone::No,
            (Wanted::Any, _) => Alone::Yes,
        }
    }

    async fn dial(
        &self,
        place: OwnedSemaphorePermit,
        wanted: Wanted,
    ) -> Result<Held, FetchFailure> {
        let generation = self.generation();
        let bytes = self.connect.connect(&self.terms.address).await;
        let bytes = bytes.map_err(|error| self.unreached(&error))?;
        let (bytes, spoken) = match &self.tls {
            Some((tls, server)) => {
                let shaken = tls.handshake(bytes, server.clone(), wanted).await;
                shaken.map_err(|error| self.because(FailureKind::Tls, explain(&error)))?
            }
            None if self.terms.scheme == MemberScheme::H2c => (bytes, Spoken::Http2),
            None => (bytes, Spoken::Http1),
        };
        match spoken {
            Spoken::Http1 => {
                if wanted == Wanted::Any {
                    self.spoken.store(SPOKEN_HTTP1, Ordering::Relaxed);
                }
                let http1 =
                    h1::Connection::new(bytes, place, self.terms.head_bytes_max, generation);
                Ok(self.pool.hold(Box::new(http1)))
            }
            Spoken::Http2 => {
                self.spoken.store(SPOKEN_HTTP2, Ordering::Relaxed);
                let socket = h2::Socket::new(bytes, place);
                let http2 = h2::open(socket, self.terms.head_bytes_max, generation).await;
                let failed = |error| self.because(FailureKind::Connect, cause(&error));
                let held = self.pool.share(http2.map_err(failed)?);
                held.ok_or_else(|| self.failure(FailureKind::PoolFull))
            }
        }
    }

    fn unreached(&self, error: &io::Error) -> FetchFailure {
        let kind = match error.get_ref() {
            Some(inner) if inner.is::<NotResolved>() => FailureKind::Resolve,
            Some(inner) if inner.is::<Refused>() => FailureKind::Refused,
            Some(_) | None => FailureKind::Connect,
        };
        self.because(kind, cause(error))
    }

    async fn within<T>(
        &self,
        deadline: Instant,
        step: impl Future<Output = T>,
    ) -> Result<T, FetchFailure> {
        let ended = timeout_at(deadline, step).await;
        ended.map_err(|_| self.failure(FailureKind::ConnectTimeout))
    }

    /// Connections that nobody uses.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.pool.idle()
    }

    pub(super) fn failure(&self, kind: FailureKind) -> FetchFailure {
        FetchFailure::new(kind, &self.name)
    }

    pub(super) fn because(&self, kind: FailureKind, cause: impl fmt::Display) -> FetchFailure {
        FetchFailure::because(kind, &self.name, cause)
    }
}

/// The choice of a member that is the only one of its upstreams: one for all of them, so that each
/// knows what the others met.
#[derive(Default)]
pub(super) struct Choices(Mutex<Weak<Choice>>);

impl Choices {
    /// The choice on these terms: the one that is in use, or a new one.
    pub(super) fn on(
        &self,
        terms: &ChoiceTerms,
        make: impl FnOnce() -> Arc<Choice>,
    ) -> Arc<Choice> {
        let mut used = self.0.lock();
        if let Some(choice) = used.upgrade().filter(|choice| choice.is_on(terms)) {
            return choice;
        }
        let choice = make();
        *used = Arc::downgrade(&choice);
        choice
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.pool.drain();
        registry::forget(&self.terms);
    }
}

/// Whether a name stands between a member and its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    Name,
    Address,
}

impl Naming {
    fn of(address: &MemberAddress) -> Self {
        match address {
            MemberAddress::Tcp { host, .. } if host.parse::<IpAddr>().is_err() => Naming::Name,
            MemberAddress::Tcp { .. } | MemberAddress::Unix(_) => Naming::Address,
        }
    }
}

/// Whether a connection is made while the others wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    Yes,
    No,
}

fn address(settings: &MemberSettings) -> MemberAddress {
    match settings.scheme {
        MemberScheme::Unix => MemberAddress::Unix(PathBuf::from(&settings.host)),
        MemberScheme::Http | MemberScheme::H2c | MemberScheme::Https => {
            MemberAddress::Tcp { host: settings.host.clone(), port: settings.port }
        }
    }
}

/// Its name in messages: `host:port`, or a path.
fn name(settings: &MemberSettings) -> String {
    match settings.scheme {
        MemberScheme::Unix => settings.host.clone(),
        MemberScheme::Http | MemberScheme::H2c | MemberScheme::Https => {
            format!("{}:{}", bracketed(&settings.host), settings.port)
        }
    }
}

/// What its `Host` says (RFC 9110 section 7.2), without a port that the scheme implies.
fn host_field(settings: &MemberSettings) -> String {
    match (settings.scheme, settings.port) {
        (MemberScheme::Unix, _) => "localhost".to_owned(),
        (MemberScheme::Http | MemberScheme::H2c, 80) | (MemberScheme::Https, 443) => {
            bracketed(&settings.host)
        }
        (MemberScheme::Http | MemberScheme::H2c | MemberScheme::Https, _) => name(settings),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}
