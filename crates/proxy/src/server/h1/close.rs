//! The end of a connection, such that the client reads what was sent before it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::super::refusal::Refusal;
use super::super::wire::Wire;
use super::encode::append_refusal;
use super::socket::{Read, Socket};

/// How long a closing connection is read, so that what the client still sends does not turn our
/// close into a reset that takes the answer from it (9112 9.6).
pub(in super::super) const LINGER: Duration = Duration::from_secs(2);
/// Bytes that are read at most in that time.
pub(in super::super) const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

impl<IO: Wire> Socket<IO> {
    /// Sends a refusal and closes.
    pub(super) async fn refuse(mut self, refusal: Refusal) {
        self.terms.stats.count_refused(refusal.reason);
        append_refusal(&mut self.output.bytes, refusal);
        self.close().await;
    }

    /// Writes what waits, closes our direction, and reads the other for a while.
    pub(super) async fn close(mut self) {
        if poll_fn(|cx| self.poll_output(cx)).await.is_err() {
            return;
        }
        let until = Instant::now() + LINGER;
        let mut bytes_left = LINGER_BYTES_MAX;
        poll_fn(|cx| {
            if self.poll_moment(cx, until).is_ready() {
                return Poll::Ready(());
            }
            if ready!(Pin::new(&mut self.io).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.poll_linger(cx, &mut bytes_left)
        })
        .await;
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>, bytes_left: &mut usize) -> Poll<()> {
        loop {
            *bytes_left = bytes_left.saturating_sub(self.input.len());
            self.input.clear();
            if *bytes_left == 0 {
                return Poll::Ready(());
            }
            match ready!(self.poll_read(cx)) {
                Ok(Read::Some) => {}
                Ok(Read::End) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}
