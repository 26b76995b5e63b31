//! Bytes on their way over a connection: as few writes as they can be.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// A body up to this size is copied behind its head, so that one plain write carries both.
pub(crate) const COPIED_BYTES_MAX: usize = 4 * 1024;
/// From here on nothing is added before something was written.
pub(crate) const WAITING_BYTES_MAX: usize = 64 * 1024;

/// What waits to be written: bytes of ours, then at most one body piece, then what ends it.
#[derive(Default)]
pub(crate) struct Output {
    /// Heads, chunk sizes and small bodies.
    pub(crate) bytes: Vec<u8>,
    sent: usize,
    piece: Bytes,
    ending: &'static [u8],
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.has_room()
    }

    /// Whether more may be appended.
    pub(crate) fn has_room(&self) -> bool {
        self.piece.is_empty()
            && self.ending.is_empty()
            && self.bytes.len() - self.sent < WAITING_BYTES_MAX
    }

    /// Appends a piece of a body and what ends it; only where there is room.
    pub(crate) fn append_piece(&mut self, piece: Bytes, ending: &'static [u8]) {
        if piece.len() > COPIED_BYTES_MAX {
            self.piece = piece;
            self.ending = ending;
            return;
        }
        self.bytes.extend_from_slice(&piece);
        self.bytes.extend_from_slice(ending);
    }

    /// Gives the memory back when nothing waits.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Output::default();
        }
    }

    /// Writes once. Ready with the number of bytes taken; `None` when nothing waits any more.
    pub(crate) fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<usize>>> {
        if self.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let io = Pin::new(io);
        let written = if self.piece.is_empty() && self.ending.is_empty() {
            ready!(io.poll_write(cx, &self.bytes[self.sent..]))?
        } else {
            let slices = [
                IoSlice::new(&self.bytes[self.sent..]),
                IoSlice::new(&self.piece),
                IoSlice::new(self.ending),
            ];
            ready!(io.poll_write_vectored(cx, &slices))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(Some(written)))
    }

    fn advance(&mut self, written: usize) {
        let of_bytes = written.min(self.bytes.len() - self.sent);
        self.sent += of_bytes;
        let of_piece = (written - of_bytes).min(self.piece.len());
        self.piece.advance(of_piece);
        if self.piece.is_empty() {
            self.piece = Bytes::new();
        }
        let of_ending = (written - of_bytes - of_piece).min(self.ending.len());
        self.ending = &self.ending[of_ending..];
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }
}
