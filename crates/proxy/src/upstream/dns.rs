//! Names to addresses: asked once, remembered, and asked again behind the requests.
//!
//! An answer is used until a newer one arrives; a failing resolver keeps the last good answer. An
//! IP address resolves to itself. Names that nobody uses any more leave when there are too many.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Addresses of one name that are kept; further ones are ignored.
const ADDRESSES_MAX: usize = 16;
/// Names that are remembered; beyond it those leave that were unused for longest, some at a time.
const NAMES_MAX: usize = 65_536;
/// The part of all names that leaves at once, so that looking for the oldest is seldom.
const LEAVING: usize = 16;
/// Questions to the system at once; each keeps a thread busy. Further ones wait, within the limit of
/// whoever connects.
const ASKING_MAX: usize = 64;

/// An answer under way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks somebody for a name's addresses.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, best first.
    fn resolve(&self, host: &str) -> Resolving;
}

/// The system's resolver, on tokio's pool of blocking threads.
pub struct SystemResolver;

static ASKING: Semaphore = Semaphore::const_new(ASKING_MAX);

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> Resolving {
        let host = host.to_owned();
        Box::pin(async move {
            let _turn = ASKING.acquire().await.map_err(io::Error::other)?;
            Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
        })
    }
}

/// That a name has no address, inside an [`io::Error`], so that it is told from a refused
/// connection.
#[derive(Debug)]
pub struct NotResolved(pub io::Error);

impl std::fmt::Display for NotResolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotResolved {}

/// The names that were asked for, as many as [`NAMES_MAX`].
pub(super) struct Names {
    resolver: Arc<dyn Resolve>,
    interval: Duration,
    names_max: usize,
    known: Mutex<HashMap<String, Known>>,
}

/// The last good answer for one name.
struct Known {
    addresses: Vec<IpAddr>,
    /// Where the next connection begins.
    turn: usize,
    generation: u64,
    asked: Instant,
    used: Instant,
}

impl Names {
    /// Nothing known yet; answers older than `interval` are asked for again.
    pub(super) fn new(resolver: Arc<dyn Resolve>, interval: Duration) -> Self {
        Names { resolver, interval, names_max: NAMES_MAX, known: Mutex::default() }
    }

    /// The addresses of a host, in turn a different one first. Waits for the resolver only when
    /// nothing is known; dropped then, the next caller asks anew.
    pub(super) async fn addresses(
        self: &Arc<Self>,
        host: &str,
        port: u16,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        self.use_of(host);
        if let Some(addresses) = self.rotated(host, port) {
            return Ok(addresses);
        }
        let answer = ask(&*self.resolver, host).await?;
        self.learn(host, answer);
        self.rotated(host, port).ok_or_else(|| no_address().into())
    }

    /// Counts the answers in which an address of the one before is gone.
    pub(super) fn generation(self: &Arc<Self>, host: &str) -> u64 {
        if host.parse::<IpAddr>().is_ok() {
            return 0;
        }
        self.use_of(host)
    }

    /// Notes that a name is used, asks for it again once an interval, and says its generation.
    fn use_of(self: &Arc<Self>, host: &str) -> u64 {
        let now = Instant::now();
        let mut names = self.known.lock();
        let Some(known) = names.get_mut(host) else { return 0 };
        known.used = now;
        let generation = known.generation;
        if now.duration_since(known.asked) >= self.interval {
            known.asked = now;
            drop(names);
            self.refresh_behind(host);
        }
        generation
    }

    /// Asks again without making anybody wait.
    fn refresh_behind(self: &Arc<Self>, host: &str) {
        let names = self.clone();
        let host = host.to_owned();
        tokio::spawn(async move {
            match ask(&*names.resolver, &host).await {
                Ok(answer) => names.learn(&host, answer),
                Err(error) => tracing::warn!("cannot resolve `{host}` again: {error}"),
            }
        });
    }

    fn rotated(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let mut known = self.known.lock();
        let known = known.get_mut(host)?;
        let first = known.turn % known.addresses.len();
        known.turn = first + 1;
        let (before, from) = known.addresses.split_at(first);
        Some(from.iter().chain(before).map(|ip| SocketAddr::new(*ip, port)).collect())
    }

    fn learn(&self, host: &str, addresses: Vec<IpAddr>) {
        let mut names = self.known.lock();
        let asked = Instant::now();
        let Some(known) = names.get_mut(host) else {
            if names.len() >= self.names_max {
                forget_unused(&mut names);
            }
            let known = Known { addresses, turn: 0, generation: 0, asked, used: asked };
            names.insert(host.to_owned(), known);
            return;
        };
        if known.addresses.iter().any(|address| !addresses.contains(address)) {
            known.generation += 1;
        }
        known.addresses = addresses;
        known.asked = asked;
    }
}

/// Forgets the names that were unused for longest.
fn forget_unused(names: &mut HashMap<String, Known>) {
    let mut used: Vec<Instant> = names.values().map(|known| known.used).collect();
    let last = (used.len() / LEAVING).min(used.len().saturating_sub(1));
    let (_, oldest, _) = used.select_nth_unstable(last);
    let oldest = *oldest;
    names.retain(|_, known| known.used > oldest);
}

/// One answer with at least one address, each once.
async fn ask(resolver: &dyn Resolve, host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses = resolver.resolve(host).await.map_err(NotResolved)?;
    let mut seen = HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() {
        return Err(no_address().into());
    }
    Ok(addresses)
}

fn no_address() -> NotResolved {
    NotResolved(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

impl From<NotResolved> for io::Error {
    fn from(error: NotResolved) -> Self {
        io::Error::other(error)
    }
}

#[cfg(test)]
mod tests;
