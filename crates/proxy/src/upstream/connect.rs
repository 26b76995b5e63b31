//! A way to a member: bytes in both directions, over TCP or a Unix socket, before any TLS.
//!
//! Behind a trait, so that a simulator can put a pipe in memory in its place.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

use super::destination::Destinations;
use super::dns::{Names, Resolve, SystemResolver};
use crate::answer::Duplex;

/// How long one address is waited for before the next is tried beside it (RFC 8305 section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Where a member is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MemberAddress {
    /// A name or an IP address without brackets, and a port.
    Tcp {
        /// The name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket's path.
    Unix(PathBuf),
}

/// What becomes of an attempt to connect.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send>>;

/// Makes connections. Time limits are the caller's.
pub trait Connect: Send + Sync {
    /// Connects to a member. Dropping the future gives the attempt up.
    fn connect(&self, member: &MemberAddress) -> Connecting;

    /// A number that changes when connections made before lead to an address that the member's
    /// name has left; they are then not used again.
    fn generation(&self, _member: &MemberAddress) -> u64 {
        0
    }
}

/// The real network.
pub struct Network {
    names: Arc<Names>,
    destinations: Arc<Destinations>,
}

impl Network {
    /// The network with the system's names, asked again after `resolve_interval`, and as much of
    /// it as may be connected to.
    pub fn new(resolve_interval: Duration, destinations: Arc<Destinations>) -> Self {
        Network::resolving_with(Arc::new(SystemResolver), resolve_interval, destinations)
    }

    /// The network with names from elsewhere.
    pub fn resolving_with(
        resolver: Arc<dyn Resolve>,
        resolve_interval: Duration,
        destinations: Arc<Destinations>,
    ) -> Self {
        Network { names: Arc::new(Names::new(resolver, resolve_interval)), destinations }
    }
}

/// Networks by how often their names are resolved again, so that upstreams share the names, and
/// with them their members. It keeps none of them alive.
pub struct Networks {
    known: Mutex<HashMap<Duration, Weak<Network>>>,
    destinations: Arc<Destinations>,
}

impl Networks {
    /// Networks of which as much may be connected to as these allow.
    pub fn new(destinations: Arc<Destinations>) -> Self {
        Networks { known: Mutex::default(), destinations }
    }

    /// The network whose names are asked for again after this time.
    pub fn network(&self, resolve_interval: Duration) -> Arc<dyn Connect> {
        let mut networks = self.known.lock();
        if let Some(network) = networks.get(&resolve_interval).and_then(Weak::upgrade) {
            return network;
        }
        networks.retain(|_, network| network.strong_count() > 0);
        let network = Arc::new(Network::new(resolve_interval, self.destinations.clone()));
        networks.insert(resolve_interval, Arc::downgrade(&network));
        network
    }
}

impl Connect for Network {
    fn connect(&self, member: &MemberAddress) -> Connecting {
        let destinations = self.destinations.clone();
        match member.clone() {
            MemberAddress::Unix(path) => Box::pin(async move {
                destinations.judge_path(&path)?;
                Ok(Box::new(UnixStream::connect(path).await?) as Box<dyn Duplex>)
            }),
            MemberAddress::Tcp { host, port } => {
                let names = self.names.clone();
                Box::pin(async move {
                    // Judged here, for what a name leads to may change from one time to the next.
                    let addresses = destinations.admit(names.addresses(&host, port).await?)?;
                    Ok(Box::new(first_to_connect(addresses).await?) as Box<dyn Duplex>)
                })
            }
        }
    }

    fn generation(&self, member: &MemberAddress) -> u64 {
        // Both only grow, so that their sum changes with either.
        let revision = self.destinations.revision();
        match member {
            MemberAddress::Tcp { host, .. } => revision + self.names.generation(host),
            MemberAddress::Unix(_) => revision,
        }
    }
}

/// Tries the addresses in their order, the next one as soon as one failed or has been silent for
/// [`STAGGER`]; the first connection wins, the other attempts are dropped.
async fn first_to_connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut untried = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let more = untried.next();
        let pause = match more {
            Some(address) => {
                attempts.push(connect_tcp(address));
                Either::Left(sleep(STAGGER))
            }
            None if attempts.is_empty() => return Err(failure),
            None => Either::Right(std::future::pending()),
        };
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            () = pause => {}
        }
    }
}

async fn connect_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
