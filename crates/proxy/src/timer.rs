//! One coarse timer a connection, which costs nothing while deadlines only move away.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is set again only when it fires, or when a deadline comes nearer than it is set.
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    pub(crate) fn new(first: Instant) -> Self {
        Timer { sleep: Box::pin(sleep_until(first)) }
    }

    /// Ready when the deadline has passed; wakes the task at the deadline or before.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.sleep.deadline() > deadline {
            self.sleep.as_mut().reset(deadline);
        }
        loop {
            std::task::ready!(self.sleep.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moved_away_does_not_fire_early_and_one_that_came_nearer_fires_in_time()
    {
        let begin = Instant::now();
        let mut timer = Timer::new(begin + Duration::from_secs(10));
        for seconds in [20, 25, 26] {
            let deadline = begin + Duration::from_secs(seconds);
            std::future::poll_fn(|cx| timer.poll_until(cx, deadline)).await;
            assert!(Instant::now() >= deadline);
            assert!(Instant::now() < deadline + Duration::from_millis(10));
        }
    }
}
