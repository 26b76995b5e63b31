//! A socket whose first bytes were read already and are read once more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::h1::Socket;
use super::super::wire::Wire;

/// The socket and what is to be read before it.
pub(super) struct Replayed<IO> {
    before: BytesMut,
    socket: Socket<IO>,
}

impl<IO: Wire> Replayed<IO> {
    pub(super) fn new(before: BytesMut, socket: Socket<IO>) -> Self {
        Replayed { before, socket }
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
        Pin::new(&mut self.get_mut().socket.io).poll_shutdown(cx)
    }
}
