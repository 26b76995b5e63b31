//! Names to addresses: asked once, remembered, and asked again behind the requests.
//!
//! An answer is used until a newer one arrives; a failing resolver keeps the last good answer. An
//! IP address resolves to itself.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Addresses of one name that are kept; further ones are ignored.
const ADDRESSES_MAX: usize = 16;

/// An answer under way.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks somebody for a name's addresses.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, best first.
    fn resolve(&self, host: &str) -> Resolving;
}

/// The system's resolver, on tokio's pool of blocking threads.
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> Resolving {
        let host = host.to_owned();
        Box::pin(async move {
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

/// The names that were asked for. As many as the configuration has members.
pub(super) struct Names {
    resolver: Arc<dyn Resolve>,
    interval: Duration,
    known: Mutex<HashMap<String, Known>>,
}

/// The last good answer for one name.
struct Known {
    addresses: Vec<IpAddr>,
    /// Where the next connection begins.
    turn: usize,
    generation: u64,
    asked: Instant,
}

impl Names {
    /// Nothing known yet; answers older than `interval` are asked for again.
    pub(super) fn new(resolver: Arc<dyn Resolve>, interval: Duration) -> Self {
        Names { resolver, interval, known: Mutex::default() }
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
        self.refresh_behind(host);
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
        self.refresh_behind(host);
        self.known.lock().get(host).map_or(0, |known| known.generation)
    }

    /// Asks again, once an interval, without making anybody wait.
    fn refresh_behind(self: &Arc<Self>, host: &str) {
        let now = Instant::now();
        match self.known.lock().get_mut(host) {
            Some(known) if now.duration_since(known.asked) >= self.interval => known.asked = now,
            Some(_) | None => return,
        }
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
            let known = Known { addresses, turn: 0, generation: 0, asked };
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

/// One answer with at least one address.
async fn ask(resolver: &dyn Resolve, host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses = resolver.resolve(host).await.map_err(NotResolved)?;
    addresses.dedup();
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
