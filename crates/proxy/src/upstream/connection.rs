//! One connection to a member: the socket, hyper's driver on a task of its own, and the sender
//! that requests go through (RFC 9112, RFC 9113).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::request::Sending;
use crate::answer::Duplex;

/// Fields of a response head.
pub(super) const FIELDS_MAX: usize = 256;
/// Bytes that an HTTP/1 connection buffers in either direction, where heads need no more.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
/// Streams at once on one HTTP/2 connection, whatever more the origin allows.
const STREAMS_MAX: usize = 256;
/// Bytes that an origin may send on one stream before somebody reads them.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How long an HTTP/2 connection with streams may say nothing before it is asked.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What the driver and the socket know about a connection and its users ask.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Whether any byte came since the last request.
    heard: AtomicBool,
    /// Whether the socket reached its end or failed.
    ended: AtomicBool,
    /// Whether the driver was dropped before it was done, so that its silence means nothing.
    broken: AtomicBool,
}

impl Wire {
    /// From here on, bytes belong to the next response.
    pub(super) fn begin_request(&self) {
        self.heard.store(false, Ordering::Release);
    }

    pub(super) fn heard(&self) -> bool {
        self.heard.load(Ordering::Acquire)
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

/// An HTTP/1 connection. Dropped, it closes at once, for nobody knows what is still under way.
pub(super) struct Http1 {
    pub(super) sender: http1::SendRequest<Sending>,
    pub(super) wire: Arc<Wire>,
    /// The driver; `None` when a tunnel has it.
    task: Option<AbortHandle>,
    /// See [`Connect::generation`](super::Connect::generation).
    pub(super) generation: u64,
    /// Whether a request went over it before.
    pub(super) used: bool,
}

impl Http1 {
    /// Leaves the connection to a tunnel.
    pub(super) fn let_go(mut self) {
        self.task = None;
    }
}

impl Drop for Http1 {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// An HTTP/2 connection, shared by its streams. It closes when its last user and the pool let go.
pub(super) struct Http2 {
    pub(super) sender: http2::SendRequest<Sending>,
    pub(super) wire: Arc<Wire>,
    pub(super) generation: u64,
    pub(super) load: Mutex<Load>,
    streams_max: Arc<AtomicUsize>,
}

/// How busy an HTTP/2 connection is.
pub(super) struct Load {
    /// Streams under way.
    pub(super) streams: usize,
    /// When it was last used.
    pub(super) since: Instant,
    /// Whether a request went over it before.
    pub(super) used: bool,
    /// Whether no new stream may begin.
    pub(super) retired: bool,
}

impl Http2 {
    /// Begins a stream if there is room; says whether the connection was used before.
    pub(super) fn begin(&self) -> Option<Reused> {
        let mut load = self.load.lock();
        let room = self.streams_max.load(Ordering::Relaxed).min(STREAMS_MAX);
        if load.retired || load.streams >= room {
            return None;
        }
        load.streams += 1;
        let reused = if load.used { Reused::Yes } else { Reused::No };
        load.used = true;
        Some(reused)
    }

    /// Ends a stream.
    pub(super) fn end(&self) {
        let mut load = self.load.lock();
        load.streams -= 1;
        load.since = Instant::now();
    }

    /// Lets no further stream begin.
    pub(super) fn retire(&self) {
        self.load.lock().retired = true;
    }

    /// Whether the pool may forget it.
    pub(super) fn is_over(&self) -> bool {
        self.sender.is_closed() || self.load.lock().retired
    }
}

/// Whether a connection had a request before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reused {
    /// It had: the origin may have closed it meanwhile.
    Yes,
    /// It is fresh.
    No,
}

/// Begins HTTP/1.1 on a socket. Lines may not be folded, and fields have names in the usual case.
pub(super) async fn open_http1(
    socket: Socket,
    head_bytes_max: usize,
    generation: u64,
) -> hyper::Result<Http1> {
    let wire = socket.wire.clone();
    let (sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .max_headers(FIELDS_MAX)
        .max_header_size(head_bytes_max)
        .max_buf_size(head_bytes_max.max(BUFFER_BYTES_MAX))
        .handshake(TokioIo::new(socket))
        .await?;
    let driver = Driver {
        alive: Alive(Some(wire.clone())),
        connection: connection.with_upgrades(),
        after: |_: &_| (),
    };
    let task = Some(tokio::spawn(driver).abort_handle());
    Ok(Http1 { sender, wire, task, generation, used: false })
}

/// Begins HTTP/2 on a socket.
pub(super) async fn open_http2(
    socket: Socket,
    head_bytes_max: usize,
    generation: u64,
) -> hyper::Result<Http2> {
    let wire = socket.wire.clone();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .handshake(TokioIo::new(socket))
        .await?;
    let streams_max = Arc::new(AtomicUsize::new(connection.current_max_send_streams()));
    let published = streams_max.clone();
    tokio::spawn(Driver {
        alive: Alive(Some(wire.clone())),
        connection,
        after: move |connection: &http2::Connection<_, _, _>| {
            published.store(connection.current_max_send_streams(), Ordering::Relaxed);
        },
    });
    let load = Load { streams: 0, since: Instant::now(), used: false, retired: false };
    Ok(Http2 { sender, wire, generation, load: Mutex::new(load), streams_max })
}

/// Runs a connection. The order of the fields is that in which they are dropped: whoever sees a
/// body without an end must already see that the wire is broken.
struct Driver<C, F> {
    alive: Alive,
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
        driver.alive.0 = None;
        Poll::Ready(())
    }
}

/// Marks the wire as broken, unless emptied before.
struct Alive(Option<Arc<Wire>>);

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(wire) = &self.0 {
            wire.broken.store(true, Ordering::Release);
        }
    }
}

/// The bytes of a connection. It holds the connection's place among `connections_max` for exactly
/// as long as it is open, be it a tunnel by then.
pub(super) struct Socket {
    bytes: Box<dyn Duplex>,
    wire: Arc<Wire>,
    _place: OwnedSemaphorePermit,
}

impl Socket {
    pub(super) fn new(bytes: Box<dyn Duplex>, place: OwnedSemaphorePermit) -> Self {
        Socket { bytes, wire: Arc::default(), _place: place }
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
        let outcome =
            if buffer.filled().len() > before { &self.wire.heard } else { &self.wire.ended };
        outcome.store(true, Ordering::Release);
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
