//! A socket whose first bytes were read already and are read once more, and which closes such that
//! the client reads what was sent before.

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::super::h1::{LINGER, LINGER_BYTES_MAX, Socket};
use super::super::wire::Wire;

/// Bytes that are read at once only to be dropped.
const DROPPED_BYTES: usize = 4 * 1024;

/// The socket and what is to be read before it.
pub(super) struct Replayed<IO> {
    before: BytesMut,
    socket: Socket<IO>,
    /// There from when our direction is closed.
    linger: Option<Linger>,
}

/// What a client may still send without turning our close into a reset, which would take the last
/// GOAWAY from it.
struct Linger {
    over: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<IO: Wire> Replayed<IO> {
    pub(super) fn new(before: BytesMut, socket: Socket<IO>) -> Self {
        Replayed { before, socket, linger: None }
    }
}

impl Linger {
    fn new() -> Self {
        Linger { over: Box::pin(sleep(LINGER)), bytes_left: LINGER_BYTES_MAX }
    }

    /// Ready when the client has closed too, or may send no more.
    fn poll_over(&mut self, io: &mut impl Wire, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [MaybeUninit::uninit(); DROPPED_BYTES];
        while self.bytes_left > 0 && self.over.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            self.bytes_left = self.bytes_left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}

impl<IO: Wire> AsyncRead for Replayed<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let replayed = self.get_mut();
        if replayed.before.is_empty() {
            return Pin::new(&mut replayed.socket.io).poll_read(cx, buffer);
        }
        let length = replayed.before.len().min(buffer.remaining());
        buffer.put_slice(&replayed.before[..length]);
        replayed.before.advance(length);
        if replayed.before.is_empty() {
            replayed.before = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: Wire> AsyncWrite for Replayed<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Replayed { socket, linger, .. } = self.get_mut();
        if linger.is_none() {
            ready!(Pin::new(&mut socket.io).poll_shutdown(cx))?;
        }
        linger.get_or_insert_with(Linger::new).poll_over(&mut socket.io, cx).map(Ok)
    }
}
