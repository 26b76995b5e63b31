//! The socket of an HTTP/1.1 connection to a member, its buffers and its timer.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::super::tries::Under;
use super::unshared::Unshared;
use crate::answer::Duplex;
use crate::http1::Output;
use crate::timer::Timer;

/// Room that is made for a connection's first read.
const READ_BYTES: usize = 8 * 1024;
/// The same when reads have filled the room that they had.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Room that is enough to read into without making more.
const ROOM_BYTES_MIN: usize = 2 * 1024;

/// The socket of a connection, with what was read of it and what waits for it.
pub(super) struct Socket {
    bytes: Unshared<Box<dyn Duplex>>,
    /// Held for exactly as long as the socket is open, be it a tunnel by then.
    place: OwnedSemaphorePermit,
    pub(super) input: BytesMut,
    pub(super) output: Output,
    /// Bytes that were written for this exchange.
    pub(super) written: u64,
    /// Whether what was written may still lie in the transport.
    is_unflushed: bool,
    /// Made when somebody first has to wait, and kept.
    timer: Option<Timer>,
    read_bytes: usize,
}

impl Socket {
    pub(super) fn new(bytes: Box<dyn Duplex>, place: OwnedSemaphorePermit) -> Self {
        Socket {
            bytes: Unshared::new(bytes),
            place,
            input: BytesMut::new(),
            output: Output::default(),
            written: 0,
            is_unflushed: false,
            timer: None,
            read_bytes: READ_BYTES,
        }
    }

    /// Whether nothing came over it, not even its end.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        let polled = Pin::new(self.bytes.reach()).poll_read(&mut cx, &mut ReadBuf::new(&mut byte));
        self.input.is_empty() && polled.is_pending()
    }

    /// Gives the buffers back while nobody uses them.
    pub(super) fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.output.release();
    }

    /// Reads once; ready with nothing at the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // The same few lines of memory for each exchange, where nobody holds the last any more.
        let is_rewound = self.input.is_empty() && self.input.try_reclaim(self.read_bytes);
        if !is_rewound && self.input.capacity() - self.input.len() < ROOM_BYTES_MIN {
            self.input.reserve(self.read_bytes);
        }
        let room = self.input.capacity() - self.input.len();
        let count = ready!(pin!(self.bytes.reach().read_buf(&mut self.input)).poll(cx))?;
        if count == room {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        }
        Poll::Ready(Ok(count))
    }

    /// Writes what waits; ready when nothing does any more.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(count) = ready!(self.output.poll_write(self.bytes.reach(), cx))? {
            self.written += count as u64;
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(Pin::new(self.bytes.reach()).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the moment has passed.
    pub(super) fn poll_moment(&mut self, cx: &mut Context<'_>, moment: Instant) -> Poll<()> {
        self.timer.get_or_insert_with(|| Timer::new(moment)).poll_until(cx, moment)
    }

    /// What the connection is after a 101.
    pub(super) fn into_tunnel(self) -> Tunnel {
        let early = self.input.freeze();
        Tunnel { early, bytes: self.bytes, _place: self.place, _under: None }
    }
}

/// A connection that became a tunnel (RFC 9110 section 7.8): what the origin said behind its head
/// comes first.
pub(in super::super) struct Tunnel {
    early: Bytes,
    bytes: Unshared<Box<dyn Duplex>>,
    _place: OwnedSemaphorePermit,
    _under: Option<Under>,
}

impl Tunnel {
    /// Holds this as long as it is open.
    pub(in super::super) fn hold(&mut self, under: Under) {
        self._under = Some(under);
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(self.bytes.reach()).poll_read(cx, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        self.early.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.bytes.reach()).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.bytes.reach()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.bytes.reach()).poll_shutdown(cx)
    }
}
