//! Sockets to accept on: made, replaced where a dead one is in the way, removed at the end.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::estate::{Bequest, Inherited};
use super::request::{Peer, Transport};
use crate::config::Listen;

/// Connections that the system holds while we do not accept.
pub(crate) const BACKLOG: i32 = 1024;

/// A listener that could not be bound.
#[derive(Debug)]
pub struct BindError {
    address: String,
    cause: io::Error,
}

impl BindError {
    #[cfg(feature = "http3")]
    pub(super) fn of(address: String, cause: io::Error) -> Self {
        BindError { address, cause }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot listen on {}: ", self.address)?;
        match self.cause.kind() {
            io::ErrorKind::AddrInUse => formatter.write_str("the address is in use"),
            io::ErrorKind::PermissionDenied => formatter.write_str("permission denied"),
            io::ErrorKind::AddrNotAvailable => {
                formatter.write_str("no interface of this machine has that address")
            }
            _ => write!(formatter, "{}", self.cause),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// One bound listener. Dropping a Unix one removes its path.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketPath),
}

/// A connection just accepted.
pub(super) enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    pub(super) fn bind(listen: &Listen) -> Result<Listener, BindError> {
        let bound = match listen {
            Listen::Tcp(address) => bind_tcp(*address).map(Listener::Tcp),
            Listen::Unix(path) => bind_unix(path),
        };
        bound.map_err(|cause| BindError { address: name(listen), cause })
    }

    /// The listener for this place: an inherited socket, or one that is bound now.
    pub(super) fn take(inherited: &mut Inherited, listen: &Listen) -> Result<Listener, BindError> {
        let Some(Bequest { listen: place, socket, .. }) = inherited.take(listen) else {
            return Listener::bind(listen);
        };
        let adopted = match place {
            Listen::Tcp(_) => TcpListener::from_std(socket.into()).map(Listener::Tcp),
            Listen::Unix(path) => UnixListener::from_std(socket.into())
                .map(|listener| Listener::Unix(listener, SocketPath::of(path))),
        };
        adopted.map_err(|cause| BindError { address: name(listen), cause })
    }

    /// A second hold of the socket, which stays open when this one is dropped.
    pub(super) fn bequest(&self) -> io::Result<(Listen, OwnedFd)> {
        let socket = match self {
            Listener::Tcp(listener) => listener.as_fd().try_clone_to_owned()?,
            Listener::Unix(listener, _) => listener.as_fd().try_clone_to_owned()?,
        };
        Ok((self.place()?, socket))
    }

    /// Leaves a Unix socket's path where it is when this is dropped.
    pub(super) fn keep_path(&self) {
        if let Listener::Unix(_, path) = self {
            path.is_kept.store(true, Ordering::Relaxed);
        }
    }

    /// Where it listens, with the port that the system chose for port 0.
    pub(super) fn place(&self) -> io::Result<Listen> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().map(Listen::Tcp),
            Listener::Unix(_, path) => Ok(Listen::Unix(path.path.clone())),
        }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Accepted, Peer)>> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok(of_tcp(stream, address)))
            }
            Listener::Unix(listener, _) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok(of_unix(stream)))
            }
        }
    }

    /// Who waits in the backlog, if somebody does: asks the system, whatever the runtime has heard.
    pub(super) fn accept_waiting(&self) -> Option<(Accepted, Peer)> {
        match self {
            Listener::Tcp(listener) => {
                let (socket, address) = SockRef::from(listener).accept().ok()?;
                socket.set_nonblocking(true).ok()?;
                Some(of_tcp(TcpStream::from_std(socket.into()).ok()?, address.as_socket()?))
            }
            Listener::Unix(listener, _) => {
                let (socket, _) = SockRef::from(listener).accept().ok()?;
                socket.set_nonblocking(true).ok()?;
                Some(of_unix(UnixStream::from_std(socket.into()).ok()?))
            }
        }
    }
}

fn of_tcp(stream: TcpStream, address: SocketAddr) -> (Accepted, Peer) {
    // Without it answers would wait for the client's acknowledgements; should it fail, the
    // connection is dead anyway.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().ok();
    let peer = Peer { address: Some(address), local, transport: Transport::Plain };
    (Accepted::Tcp(stream), peer)
}

fn of_unix(stream: UnixStream) -> (Accepted, Peer) {
    let peer = Peer { address: None, local: None, transport: Transport::Plain };
    (Accepted::Unix(stream), peer)
}

fn name(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are two listeners, on every system.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    remove_dead_socket(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    let path = SocketPath::of(path.to_owned());
    socket.listen(BACKLOG)?;
    Ok(Listener::Unix(UnixListener::from_std(socket.into())?, path))
}

/// Removes a socket that nobody accepts on any more; anything else in the way stays there.
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let is_dead = || {
        BlockingUnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if is_socket && is_dead() { fs::remove_file(path) } else { Ok(()) }
}

/// A Unix socket's path, removed when this is dropped, unless another process has it by then.
pub(super) struct SocketPath {
    path: PathBuf,
    is_kept: AtomicBool,
}

impl SocketPath {
    fn of(path: PathBuf) -> Self {
        SocketPath { path, is_kept: AtomicBool::new(false) }
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        if !self.is_kept.load(Ordering::Relaxed) {
            // A path that is already gone is what was wanted.
            let _ = fs::remove_file(&self.path);
        }
    }
}
