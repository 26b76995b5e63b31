//! The two directions of a connection, with their deadlines: what all steps of it poll.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, ReadBuf};
use tokio::time::Instant;

use super::super::link::Link;
use super::super::request::Peer;
use super::super::terms::Terms;
use super::super::wire::Wire;
use crate::http1::Output;
use crate::timer::Timer;
use crate::tls::Party;

/// Room that is made for each read.
const READ_BYTES: usize = 4 * 1024;
/// Input that may lie unread while an exchange runs; a client that pipelines more waits.
pub(super) const AHEAD_BYTES_MAX: usize = 4 * 1024;

/// A connection's socket and its buffers. Dropping it voids what its exchanges still hold of it.
pub(in super::super) struct Socket<IO> {
    pub(in super::super) io: IO,
    pub(in super::super) input: BytesMut,
    pub(super) input_ended: bool,
    pub(super) output: Output,
    timer: Timer,
    pub(super) read_deadline: Option<Instant>,
    write_deadline: Option<Instant>,
    pub(in super::super) link: Arc<Link>,
    pub(in super::super) terms: Arc<Terms>,
    pub(in super::super) peer: Peer,
    /// For whom the connection was secured, where it was.
    pub(in super::super) party: Option<Arc<Party>>,
}

/// The connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The transport failed.
    Transport,
    /// The client took nothing for too long.
    SendTimeout,
}

/// What a read brought.
pub(super) enum Read {
    Some,
    End,
}

impl<IO: Wire> Socket<IO> {
    pub(in super::super) fn new(io: IO, peer: Peer, link: Arc<Link>, terms: Arc<Terms>) -> Self {
        Socket {
            io,
            input: BytesMut::new(),
            input_ended: false,
            output: Output::default(),
            timer: Timer::new(Instant::now() + terms.limits.idle_timeout),
            read_deadline: None,
            write_deadline: None,
            link,
            terms,
            peer,
            party: None,
        }
    }

    /// Takes what was read and not yet used, to go on in another way.
    pub(in super::super) fn take_input(&mut self) -> BytesMut {
        std::mem::take(&mut self.input)
    }

    /// Reads once.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Read>> {
        if self.input_ended {
            return Poll::Ready(Ok(Read::End));
        }
        let count = ready!(self.poll_fill(cx))?;
        self.read_deadline = None;
        self.input_ended = count == 0;
        Poll::Ready(Ok(if count == 0 { Read::End } else { Read::Some }))
    }

    /// A connection without a buffer waits without one: the first bytes come by way of the stack.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.capacity() == 0 {
            let mut first = [0; READ_BYTES];
            let mut first = ReadBuf::new(&mut first);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut first))?;
            if !first.filled().is_empty() {
                self.input.reserve(READ_BYTES);
                self.input.extend_from_slice(first.filled());
            }
            return Poll::Ready(Ok(first.filled().len()));
        }
        // The same few lines of memory for each request, where nobody holds the last any more.
        let is_rewound = self.input.is_empty() && self.input.try_reclaim(READ_BYTES);
        if !is_rewound && self.input.capacity() - self.input.len() < READ_BYTES / 2 {
            self.input.reserve(READ_BYTES);
        }
        pin!(self.io.read_buf(&mut self.input)).poll(cx)
    }

    /// Writes what waits. Pending with a deadline that only progress moves.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            match self.output.poll_write(&mut self.io, cx) {
                Poll::Ready(Ok(Some(_))) => self.write_deadline = None,
                Poll::Ready(Ok(None)) => break,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Transport)),
                Poll::Pending => return self.poll_stuck(cx),
            }
        }
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.write_deadline = None;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(Broken::Transport)),
            Poll::Pending => self.poll_stuck(cx),
        }
    }

    fn poll_stuck(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let timeout = self.terms.limits.send_timeout;
        let deadline = *self.write_deadline.get_or_insert_with(|| Instant::now() + timeout);
        ready!(self.timer.poll_until(cx, deadline));
        Poll::Ready(Err(Broken::SendTimeout))
    }

    /// Ready when nothing was read within the timeout, counted from when reading began to wait.
    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>, timeout: Duration) -> Poll<()> {
        let deadline = *self.read_deadline.get_or_insert_with(|| Instant::now() + timeout);
        self.timer.poll_until(cx, deadline)
    }

    /// Ready at a moment; for steps that wait for nothing else.
    pub(super) fn poll_moment(&mut self, cx: &mut Context<'_>, moment: Instant) -> Poll<()> {
        self.timer.poll_until(cx, moment)
    }

    /// Gives the buffers back while nothing uses them.
    pub(super) fn release(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.output.release();
    }

    /// Whether buffers are held that `release` would give back.
    pub(super) fn holds_buffers(&self) -> bool {
        self.input.capacity() > 0 || self.output.bytes.capacity() > 0
    }
}

impl<IO> Drop for Socket<IO> {
    fn drop(&mut self) {
        self.link.begin();
    }
}
