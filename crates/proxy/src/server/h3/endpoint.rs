//! UDP sockets on which QUIC connections are accepted (9000), beside the listeners for TLS.
//!
//! QUIC's own bounds are all here. Early data is never taken (8470): there is nothing that a handshake
//! could go on with.

use std::future::{pending, poll_fn};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::select_all;
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Connecting, ConnectionError, EndpointConfig, Incoming, TokioRuntime, TransportConfig};
use quinn::{ServerConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{sleep, timeout};

use super::super::estate::Origin;
use super::super::listen::BindError;
use super::super::places::Places;
use super::super::request::{Peer, Service, Transport};
use super::super::stats::count;
use super::super::terms::Terms;
use super::code::Code;
use super::connection;
use crate::config::{Limits, Listen};
use crate::tls::{HandshakeEnd, HandshakePlace, Party, Tls};

/// Bytes of request bodies that a client may send ahead, on a stream and on a connection; as with
/// HTTP/2.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes of answers that are on their way on one connection.
const SEND_WINDOW_BYTES: u64 = 512 * 1024;
/// Streams beside requests that are there at once; three are of use (9114 6.2).
const BESIDE_STREAMS_MAX: u32 = 8;
/// Bytes of a datagram: what Ethernet carries.
const DATAGRAM_BYTES_MAX: u16 = 1472;
/// Bytes that clients send ahead of their handshakes: of one, and of all.
const EARLY_BYTES_MAX: u64 = 16 * 1024;
const EARLY_BYTES_MAX_OF_ALL: u64 = 4 * 1024 * 1024;
/// Clients whose first datagram was not looked at.
const UNSEEN_MAX: usize = 1024;
/// Beyond this part of the places for handshakes, a client must show first that it has the address that
/// it sends from (9000 8.1).
const VALIDATED_BEYOND: usize = 8;
/// Bytes that the system holds for the socket, if it may.
const SOCKET_BYTES: usize = 2 * 1024 * 1024;
/// How often a place that another process has is looked at again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long the last words to clients may take.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// All sockets of a server.
pub(in super::super) struct Endpoints {
    /// The places that they are beside, and how often those had changed when they were looked at.
    beside: Places,
    turns: u64,
    open: Vec<Endpoint>,
    /// Places that another process has, or that cannot be had for another reason.
    waiting: Vec<Place>,
}

/// Where clients are to be accepted, and by which TLS.
struct Place {
    address: SocketAddr,
    tls: Arc<Tls>,
}

/// One socket.
struct Endpoint {
    endpoint: quinn::Endpoint,
    config: ServerConfig,
    place: Place,
}

/// A client that begins a connection. Dropped, it is refused.
pub(in super::super) struct Attempt {
    incoming: Incoming,
    config: ServerConfig,
    place: HandshakePlace,
    tls: Arc<Tls>,
    /// Our address, as far as the socket says it.
    local: SocketAddr,
}

impl Endpoints {
    /// Those beside these places whose TLS wants it; or which cannot be bound, and why. One that another
    /// process has, from which the places are, is waited for.
    pub(in super::super) fn beside(places: &Places, from: Origin) -> Result<Self, BindError> {
        let (open, waiting) = (Vec::new(), Vec::new());
        let mut all = Endpoints { beside: places.clone(), turns: places.turns(), open, waiting };
        for place in all.wanted() {
            match (place.open(), from) {
                (Ok(endpoint), _) => all.open.push(endpoint),
                (Err((place, cause)), Origin::Inherited)
                    if cause.kind() == io::ErrorKind::AddrInUse =>
                {
                    all.waiting.push(place);
                }
                (Err((place, cause)), Origin::Bound | Origin::Inherited) => {
                    return Err(BindError::of(format!("{} by UDP", place.address), cause));
                }
            }
        }
        Ok(all)
    }

    fn wanted(&self) -> Vec<Place> {
        let place = |(listen, tls): (Listen, Arc<Tls>)| match listen {
            Listen::Tcp(address) if tls.wants_quic() => Some(Place { address, tls }),
            Listen::Tcp(_) | Listen::Unix(_) => None,
        };
        self.beside.secured().into_iter().filter_map(place).collect()
    }

    /// Goes with the places where a reload has changed them. A socket that is left is closed with its
    /// last connection; one that cannot be bound is tried again and again, as a reload must not fail
    /// halfway.
    fn follow(&mut self) {
        self.turns = self.beside.turns();
        let mut before = std::mem::take(&mut self.open);
        self.waiting.clear();
        for place in self.wanted() {
            match before.iter().position(|one| one.place.address == place.address) {
                Some(at) => self.open.push(before.swap_remove(at).turned_to(place)),
                None => self.waiting.push(place),
            }
        }
        for left in before {
            left.place.tls.take_back_quic();
            left.endpoint.set_server_config(None);
        }
        self.open_waiting();
        for place in &self.waiting {
            tracing::warn!("cannot listen on {} by UDP yet; goes on without it", place.address);
        }
    }

    /// Waits for a client that may begin its handshake.
    pub(in super::super) async fn accept(&mut self) -> Attempt {
        loop {
            if self.turns != self.beside.turns() && !self.beside.is_closed() {
                self.follow();
            }
            self.open_waiting();
            let incoming = tokio::select! {
                incoming = next(&self.open) => incoming,
                () = turned(&self.beside, self.turns) => continue,
                () = sleep(RETRY_PAUSE), if !self.waiting.is_empty() => continue,
            };
            let (at, Some(incoming)) = incoming else { return pending().await };
            if let Some(attempt) = self.open[at].judge(incoming) {
                return attempt;
            }
        }
    }

    /// Refuses whoever comes, and no more says that HTTP/3 is spoken here.
    pub(in super::super) async fn refuse(&mut self) -> ! {
        self.waiting.clear();
        self.open.iter().for_each(|one| one.place.tls.take_back_quic());
        loop {
            drop(self.accept().await);
        }
    }

    /// Lets the last words go out.
    pub(in super::super) async fn close(self) {
        for Endpoint { endpoint, .. } in self.open {
            // Whoever has not heard them by then hears of it by silence.
            let _ = timeout(LAST_WORDS, endpoint.wait_idle()).await;
        }
    }

    fn open_waiting(&mut self) {
        for place in std::mem::take(&mut self.waiting) {
            match place.open() {
                Ok(endpoint) => self.open.push(endpoint),
                Err((place, _)) => self.waiting.push(place),
            }
        }
    }
}

/// Waits until the places have changed; whoever accepts at them is woken by that.
async fn turned(places: &Places, seen: u64) {
    poll_fn(|_| match places.turns() == seen || places.is_closed() {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

/// The next client of any of them, and of which.
async fn next(open: &[Endpoint]) -> (usize, Option<Incoming>) {
    if open.is_empty() {
        return pending().await;
    }
    let accepts = open.iter().map(|one| Box::pin(one.endpoint.accept()));
    let (incoming, at, _) = select_all(accepts).await;
    (at, incoming)
}

impl Place {
    fn open(self) -> Result<Endpoint, (Place, io::Error)> {
        match self.endpoint() {
            Ok((endpoint, config)) => {
                self.tls.say_quic(self.address.port());
                Ok(Endpoint { endpoint, config, place: self })
            }
            Err(cause) => Err((self, cause)),
        }
    }

    fn config(&self) -> io::Result<ServerConfig> {
        let crypto = self.tls.quic_config().map_err(io::Error::other)?;
        let crypto = QuicServerConfig::try_from(crypto).map_err(io::Error::other)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config
            .max_incoming(UNSEEN_MAX)
            .incoming_buffer_size(EARLY_BYTES_MAX)
            .incoming_buffer_size_total(EARLY_BYTES_MAX_OF_ALL);
        Ok(config)
    }

    fn endpoint(&self) -> io::Result<(quinn::Endpoint, ServerConfig)> {
        let config = self.config()?;
        let mut bounds = EndpointConfig::default();
        bounds.max_udp_payload_size(DATAGRAM_BYTES_MAX).map_err(io::Error::other)?;
        let socket = bind(self.address)?;
        let runtime = Arc::new(TokioRuntime);
        let endpoint = quinn::Endpoint::new(bounds, Some(config.clone()), socket, runtime)?;
        Ok((endpoint, config))
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // As with TCP, `[::]` and `0.0.0.0` are two.
        socket.set_only_v6(true)?;
    }
    // All clients of a place share it. What the system does not give it goes without.
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// What a client may send, and how long it is waited for (9000 7, 10).
fn transport(limits: &Limits) -> TransportConfig {
    let mut transport = TransportConfig::default();
    // The idle connection is closed by us, with a GOAWAY; this is for clients that are gone.
    let idle = VarInt::try_from(limits.idle_timeout.as_millis() as u64).unwrap_or(VarInt::MAX);
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams_max))
        .max_concurrent_uni_streams(VarInt::from_u32(BESIDE_STREAMS_MAX))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .max_idle_timeout(Some(idle.into()))
        .keep_alive_interval(Some(limits.idle_timeout / 2))
        .datagram_receive_buffer_size(None);
    transport
}

impl Endpoint {
    /// The same socket, with the TLS of a place that is now there.
    fn turned_to(mut self, place: Place) -> Self {
        match place.config() {
            Ok(config) => {
                self.endpoint.set_server_config(Some(config.clone()));
                self.config = config;
            }
            // It was made of the same before, so that this cannot be; the old one goes on.
            Err(cause) => tracing::error!("cannot change TLS at {}: {cause}", place.address),
        }
        place.tls.say_quic(place.address.port());
        Endpoint { place, ..self }
    }

    /// Whether a client may begin now. One that may not is told so by now.
    fn judge(&self, incoming: Incoming) -> Option<Attempt> {
        let Place { address, tls } = &self.place;
        let Some(place) = tls.enter_handshake() else {
            incoming.refuse();
            return None;
        };
        let is_crowded = place.others() >= tls.handshakes_max() / VALIDATED_BEYOND;
        if is_crowded && !incoming.remote_address_validated() {
            // One that cannot be asked again has been, and has not shown it.
            let _ = incoming.retry();
            return None;
        }
        let local = incoming.local_ip().unwrap_or(address.ip());
        let local = SocketAddr::new(local, address.port());
        let (tls, config) = (tls.clone(), self.config.clone());
        Some(Attempt { incoming, config, place, tls, local })
    }
}

impl Attempt {
    /// Refuses it: there is no room.
    pub(in super::super) fn refuse(self) {
        self.incoming.refuse();
    }

    /// Serves the connection, from its handshake to its end.
    pub(in super::super) async fn serve<S: Service>(self, terms: Arc<Terms>, service: S) {
        // The address that the handshake shows is the client's as long as the connection is there: from
        // others it may go on, but whoever could choose his address then could choose who he is.
        let Attempt { incoming, mut config, place, tls, local } = self;
        let address = Some(incoming.remote_address());
        let peer = Peer { address, local: Some(local), transport: Transport::Tls };
        config.transport_config(Arc::new(transport(&terms.limits)));
        let shaken = match incoming.accept_with(Arc::new(config)) {
            Ok(connecting) => timeout(tls.handshake_timeout(), shake(connecting, &tls)).await,
            Err(error) => Ok(Err(end_of(&error))),
        };
        drop(place);
        let shaken = shaken.unwrap_or(Err(HandshakeEnd::Late));
        tls.count_handshake(shaken.as_ref().err().copied().unwrap_or(HandshakeEnd::Done));
        let Ok((connection, party)) = shaken else { return };
        count(&terms.stats.connections_accepted);
        // Only now is it known that the address is the client's.
        let _place = match terms.enter_client(&peer) {
            Ok(place) => place,
            Err(crowded) => {
                service.refused(&crowded);
                return connection.close(Code::ExcessiveLoad.into(), crowded.text.as_bytes());
            }
        };
        Box::pin(connection::serve(connection, peer, party, terms, service)).await;
    }
}

async fn shake(
    connecting: Connecting,
    tls: &Arc<Tls>,
) -> Result<(quinn::Connection, Party), HandshakeEnd> {
    let connection = connecting.await.map_err(|error| end_of(&error))?;
    let asked = connection.handshake_data();
    let asked = asked.and_then(|shaken| shaken.downcast::<HandshakeData>().ok());
    let asked = asked.and_then(|shaken| shaken.server_name);
    let party = tls.quic_party(asked.as_deref()).ok_or(HandshakeEnd::UnknownHost)?;
    Ok((connection, party))
}

fn end_of(error: &ConnectionError) -> HandshakeEnd {
    match error {
        ConnectionError::TransportError(_)
        | ConnectionError::VersionMismatch
        | ConnectionError::CidsExhausted => HandshakeEnd::Refused,
        ConnectionError::ConnectionClosed(_)
        | ConnectionError::ApplicationClosed(_)
        | ConnectionError::Reset
        | ConnectionError::LocallyClosed => HandshakeEnd::Gone,
        ConnectionError::TimedOut => HandshakeEnd::Late,
    }
}
