//! One HTTP/1.1 connection to a member, and where the exchange on it stands.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::response::Persistence;
use super::socket::Socket;
use super::upload::{Cut, Upload};
use crate::answer::Duplex;
use crate::http1::Decoder;

/// A connection in the hand of one exchange, or idle. Dropped, it closes at once, for nobody knows
/// what is still under way. It is large, and lives in one box as long as it is open.
pub(in super::super) struct Connection {
    pub(super) socket: Socket,
    pub(super) upload: Upload,
    pub(super) decoder: Decoder,
    pub(super) persistence: Persistence,
    pub(super) wait: Wait,
    pub(super) head_bytes_max: usize,
    /// See [`Connect::generation`](super::super::Connect::generation).
    pub(in super::super) generation: u64,
    /// Whether a request went over it before.
    pub(in super::super) used: bool,
}

impl Connection {
    pub(in super::super) fn new(
        bytes: Box<dyn Duplex>,
        place: OwnedSemaphorePermit,
        head_bytes_max: usize,
        generation: u64,
    ) -> Self {
        Connection {
            socket: Socket::new(bytes, place),
            upload: Upload::none(),
            decoder: Decoder::counted(0),
            persistence: Persistence::Keep,
            wait: Wait::default(),
            head_bytes_max,
            generation,
            used: false,
        }
    }

    /// Whether an idle connection may be used: nothing came over it, not even its end.
    pub(in super::super) fn is_quiet(&mut self) -> bool {
        self.socket.is_quiet()
    }

    /// Gives the buffers back while nobody uses them.
    pub(in super::super) fn release(&mut self) {
        self.socket.release();
    }

    /// Sends what can be sent of the request.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Cut> {
        self.upload.poll(cx, &mut self.socket)
    }

    /// Ready when the origin has been waited for as long as `limit`; without one, no wait begins.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>, limit: Option<Duration>) -> Poll<()> {
        self.wait.poll(cx, &mut self.socket, limit)
    }
}

/// A wait for the origin: begun when the socket has nothing, begun again when it took something.
#[derive(Default)]
pub(super) struct Wait {
    since: Option<Instant>,
    written: u64,
}

impl Wait {
    /// The origin has said something: the next wait is another.
    pub(super) fn end(&mut self) {
        self.since = None;
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Socket,
        limit: Option<Duration>,
    ) -> Poll<()> {
        if self.written != socket.written || limit.is_none() {
            self.written = socket.written;
            self.since = None;
        }
        let Some(limit) = limit else { return Poll::Pending };
        let since = *self.since.get_or_insert_with(Instant::now);
        socket.poll_moment(cx, since + limit)
    }
}
