//! What the server needs of a transport beyond bytes in both directions.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::answer::Duplex;

/// A transport that can end in a way that no client takes for a proper end.
pub(super) trait Wire: Duplex {
    /// Makes the coming close an abortive one where the transport knows such a thing. HTTP/1.0 has
    /// no other way to say that a body without a length was cut (9112 8).
    fn break_off(&mut self);
}

impl Wire for TcpStream {
    fn break_off(&mut self) {
        // A socket that is already gone needs no abortive close.
        let _ = self.set_zero_linger();
    }
}

impl Wire for UnixStream {
    fn break_off(&mut self) {}
}

/// Any other transport; its close is always a plain one.
pub(super) struct Plain<IO>(pub(super) IO);

impl<IO: Duplex> Wire for Plain<IO> {
    fn break_off(&mut self) {}
}

impl<IO: Duplex> AsyncRead for Plain<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buffer)
    }
}

impl<IO: Duplex> AsyncWrite for Plain<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
