//! What follows a 101: bytes both ways, of which we know nothing more (9110 7.8).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::Instant;

use super::super::wire::Wire;
use super::encode::append_upgrade_head;
use super::socket::Socket;
use crate::answer::{Answer, Duplex};

/// Bytes under way in each direction.
const BUFFER_BYTES: usize = 8 * 1024;

impl<IO: Wire> Socket<IO> {
    /// Sends the 101 and copies until both directions are closed, or neither says anything for
    /// the idle timeout.
    pub(super) async fn tunnel(mut self, mut answer: Answer) {
        let Some(mut origin) = answer.tunnel.take() else { return };
        append_upgrade_head(&mut self.output.bytes, &answer);
        if poll_fn(|cx| self.poll_output(cx)).await.is_err() {
            return;
        }
        let idle = self.terms.limits.idle_timeout;
        let early = self.take_input();
        if !matches!(tokio::time::timeout(idle, origin.write_all(&early)).await, Ok(Ok(()))) {
            return;
        }
        copy(&mut self.io, &mut *origin, idle).await;
    }
}

async fn copy(client: &mut impl Duplex, origin: &mut dyn Duplex, idle: Duration) {
    let heard = AtomicU64::new(0);
    let mut client = Heard { io: client, heard: &heard };
    let mut origin = Heard { io: origin, heard: &heard };
    let copied =
        copy_bidirectional_with_sizes(&mut client, &mut origin, BUFFER_BYTES, BUFFER_BYTES);
    tokio::select! {
        // How a tunnel ended is between its two ends.
        _ = copied => {}
        () = silence(&heard, idle) => {}
    }
}

/// Ready when nothing was heard for one whole span.
async fn silence(heard: &AtomicU64, idle: Duration) {
    let mut before = None;
    loop {
        let now = heard.load(Ordering::Relaxed);
        if before == Some(now) {
            return;
        }
        before = Some(now);
        tokio::time::sleep_until(Instant::now() + idle).await;
    }
}

/// One end of a tunnel, counting what it says.
struct Heard<'a, IO: ?Sized> {
    io: &'a mut IO,
    heard: &'a AtomicU64,
}

impl<IO: Duplex + ?Sized> AsyncRead for Heard<'_, IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let end = self.get_mut();
        let polled = Pin::new(&mut *end.io).poll_read(cx, buffer);
        if polled.is_ready() {
            end.heard.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

impl<IO: Duplex + ?Sized> AsyncWrite for Heard<'_, IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.get_mut().io).poll_shutdown(cx)
    }
}
