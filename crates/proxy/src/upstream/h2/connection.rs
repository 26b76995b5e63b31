//! One HTTP/2 connection to a member: the socket, hyper's driver on a task of its own, and the
//! sender that requests go through (RFC 9113).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::super::pool::Reused;
use super::sending::Sending;
use crate::answer::Duplex;

/// Streams at once on one HTTP/2 connection, whatever more the origin allows.
const STREAMS_MAX: usize = 256;
/// Streams before the origin said how many it allows; the others wait for that within h2, since
/// an origin may refuse what is too many.
const STREAMS_BEFORE_SETTINGS: usize = 1;
/// Bytes that an origin may send on one stream before somebody reads them.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How long an HTTP/2 connection with streams may say nothing before it is asked.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// An HTTP/2 connection, shared by its streams. It closes when its last user and the pool let go.
pub(in super::super) struct Http2 {
    pub(in super::super) sender: http2::SendRequest<Sending>,
    /// Whether the socket reached its end or failed.
    ended: Arc<AtomicBool>,
    pub(in super::super) generation: u64,
    pub(in super::super) load: Mutex<Load>,
    streams_max: Arc<AtomicUsize>,
}

/// How busy an HTTP/2 connection is.
pub(in super::super) struct Load {
    /// Streams under way.
    pub(in super::super) streams: usize,
    /// When it was last used.
    pub(in super::super) since: Instant,
    /// Whether a request went over it before.
    pub(in super::super) used: bool,
    /// Whether no new stream may begin.
    pub(in super::super) retired: bool,
}

impl Http2 {
    /// Begins a stream if there is room; says whether the connection was used before.
    pub(in super::super) fn begin(&self) -> Option<Reused> {
        let mut load = self.load.lock();
        let room = match self.streams_max.load(Ordering::Relaxed) {
            STREAMS_BEFORE_SETTINGS => STREAMS_MAX,
            allowed => allowed.min(STREAMS_MAX),
        };
        if load.retired || load.streams >= room {
            return None;
        }
        load.streams += 1;
        let reused = if load.used { Reused::Yes } else { Reused::No };
        load.used = true;
        Some(reused)
    }

    /// Ends a stream.
    pub(in super::super) fn end(&self) {
        let mut load = self.load.lock();
        load.streams -= 1;
        load.since = Instant::now();
    }

    /// Lets no further stream begin.
    pub(in super::super) fn retire(&self) {
        self.load.lock().retired = true;
    }

    /// Whether its socket reached its end or failed.
    pub(in super::super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether the pool may forget it.
    pub(in super::super) fn is_over(&self) -> bool {
        self.sender.is_closed() || self.load.lock().retired
    }
}

/// Begins HTTP/2 on a socket.
pub(in super::super) async fn open(
    socket: Socket,
    head_bytes_max: usize,
    generation: u64,
) -> hyper::Result<Http2> {
    let ended = socket.ended.clone();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_max_send_streams(STREAMS_BEFORE_SETTINGS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .handshake(TokioIo::new(socket))
        .await?;
    let streams_max = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
    let published = streams_max.clone();
    tokio::spawn(Driver {
        connection,
        after: move |connection: &http2::Connection<_, _, _>| {
            published.store(connection.current_max_send_streams(), Ordering::Relaxed);
        },
    });
    let load = Load { streams: 0, since: Instant::now(), used: false, retired: false };
    Ok(Http2 { sender, ended, generation, load: Mutex::new(load), streams_max })
}

/// Runs a connection.
struct Driver<C, F> {
    connection: C,
    after: F,
}

impl<C, F> Future for Driver<C, F>
where
    C: Future<Output = hyper::Result<()>> + Unpin,
    F: FnMut(&C) + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = &mut *self;
        let polled = Pin::new(&mut driver.connection).poll(cx);
        (driver.after)(&driver.connection);
        if let Err(error) = ready!(polled) {
            tracing::debug!("a connection to an origin ended: {error}");
        }
        Poll::Ready(())
    }
}

/// The bytes of a connection. It holds the connection's place among `connections_max` for exactly
/// as long as it is open.
pub(in super::super) struct Socket {
    bytes: Box<dyn Duplex>,
    ended: Arc<AtomicBool>,
    _place: OwnedSemaphorePermit,
}

impl Socket {
    pub(in super::super) fn new(bytes: Box<dyn Duplex>, place: OwnedSemaphorePermit) -> Self {
        Socket { bytes, ended: Arc::default(), _place: place }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.bytes).poll_read(cx, buffer));
        if buffer.filled().len() == before {
            self.ended.store(true, Ordering::Release);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(cx)
    }
}
