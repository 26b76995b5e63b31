//! The one who sends a body.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::arriving::Arriving;
use super::whole::{Piece, Whole};
use super::{Body, End, Limits};
use crate::budget::{Budget, CHUNK_OVERHEAD};
use crate::error::{Broken, NobodyReads};

/// Bodies up to this size become one exact slice when they are whole.
const ONE_SLICE_BYTES_MAX: u64 = 1 << 20;

/// The window while the budget has no room: enough to keep a connection busy.
const SHORT_WINDOW_BYTES: usize = 16 << 10;

/// How far behind a reader may be that holds up no other: more than a disk is late at times.
const LAG_BYTES_MAX: usize = 8 << 20;

/// The same while the budget has no room.
const SHORT_LAG_BYTES: usize = 1 << 20;

/// Whether all that arrives is held, or only what the readers have yet to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    All,
    Window,
}

/// Sends a body. Dropping it before [`BodyWriter::finish`] breaks the body.
#[derive(Debug)]
pub struct BodyWriter {
    body: Body,
    limits: Limits,
    budget: Budget,
    expected_len: Option<u64>,
    len: u64,
    keeping: Keeping,
    ended: bool,
}

impl BodyWriter {
    pub(super) fn new(
        body: Body,
        limits: Limits,
        budget: Budget,
        expected_len: Option<u64>,
    ) -> Self {
        let mut writer = Self {
            body,
            limits,
            budget,
            expected_len,
            len: 0,
            keeping: Keeping::All,
            ended: false,
        };
        if expected_len.is_some_and(|len| len > limits.kept_bytes_max) {
            writer.stop_keeping();
        }
        writer
    }

    /// Waits until more is wanted: not at all while the body is kept, otherwise until the slowest
    /// reader has made room. Safe to drop at any moment.
    pub async fn room(&mut self) -> Result<(), NobodyReads> {
        poll_fn(|cx| self.poll_room(cx)).await
    }

    /// As [`BodyWriter::room`], to be polled.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NobodyReads>> {
        if self.keeping == Keeping::All {
            return Poll::Ready(Ok(()));
        }
        let window_bytes_max = self.window_bytes_max();
        let lag_bytes_max = if self.budget.is_short() { SHORT_LAG_BYTES } else { LAG_BYTES_MAX };
        self.with(|arriving| {
            if arriving.is_unread() {
                return Poll::Ready(Err(NobodyReads));
            }
            arriving.make_room(window_bytes_max);
            if arriving.held_bytes <= window_bytes_max
                || arriving.outruns(window_bytes_max, lag_bytes_max)
            {
                return Poll::Ready(Ok(()));
            }
            arriving.writer = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    /// Adds bytes, now, whether there is room or not; ask for [`BodyWriter::room`] before.
    /// `Err` means that the body is not kept and all readers have left: end the fetch.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), NobodyReads> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.keeping == Keeping::All && !self.keep(&bytes) {
            self.stop_keeping();
        }
        self.len += bytes.len() as u64;
        if self.keeping == Keeping::Window {
            if self.len > self.limits.tapped_bytes_max {
                self.with(Arriving::cut_off_taps);
            }
            self.pass(&bytes)?;
        }
        Ok(())
    }

    /// Waits until the body is not kept and nobody reads it, forever while it is kept. To be
    /// selected beside an origin that says nothing. Safe to drop at any moment.
    pub async fn deserted(&mut self) {
        poll_fn(|cx| self.poll_deserted(cx)).await;
    }

    /// Ends the body properly. If it was announced longer or shorter, that breaks it instead.
    pub fn finish(mut self, trailer: Option<Bytes>) -> End {
        match (self.expected_len, self.keeping) {
            (Some(expected), _) if expected != self.len => {
                let reason = format!("{} bytes arrived where {expected} were announced", self.len);
                self.end_with(End::Broken(Broken::new(reason)), None)
            }
            (_, Keeping::All) => self.become_whole(trailer),
            (_, Keeping::Window) => self.end_with(End::PassedThrough, trailer),
        }
    }

    /// Breaks the body.
    pub fn abort(mut self, reason: impl Into<Cow<'static, str>>) {
        self.end_with(End::Broken(Broken::new(reason)), None);
    }

    /// What is being sent.
    pub fn body(&self) -> &Body {
        &self.body
    }

    // Only while the writer lives and has not ended the body: it alone takes `arriving` away.
    fn with<T>(&self, act: impl FnOnce(&mut Arriving) -> T) -> T {
        let mut arriving = self.body.shared.arriving.lock();
        act(arriving.as_mut().expect("arriving until this writer ends it"))
    }

    // Copies into a page of our own, outside of the lock: a slice from the network may be small
    // and keep a large buffer alive.
    fn keep(&mut self, bytes: &Bytes) -> bool {
        if self.len.saturating_add(bytes.len() as u64) > self.limits.kept_bytes_max {
            return false;
        }
        let mut parts = self.with(|arriving| arriving.small_tail(bytes.len()));
        let merged = parts.len();
        parts.push(bytes.clone());
        let Some(page) = self.budget.try_page(&parts) else { return false };
        drop(parts);
        let wakers = self.with(|arriving| {
            arriving.keep(page, merged, bytes.len());
            if arriving.holds_back() { Vec::new() } else { arriving.take_reader_wakers() }
        });
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    fn pass(&mut self, bytes: &Bytes) -> Result<(), NobodyReads> {
        let reservation = self.budget.count(bytes.len() + CHUNK_OVERHEAD);
        let window_bytes_max = self.window_bytes_max();
        let wakers = self.with(|arriving| {
            if arriving.is_unread() {
                return Err(NobodyReads);
            }
            arriving.pass(bytes.clone(), reservation);
            arriving.make_room(window_bytes_max);
            Ok(arriving.take_reader_wakers())
        })?;
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    // When memory is short, what passes through is what is given up first.
    fn window_bytes_max(&self) -> usize {
        let window = self.limits.window_bytes_max;
        if self.budget.is_short() { window.min(SHORT_WINDOW_BYTES) } else { window }
    }

    fn stop_keeping(&mut self) {
        self.keeping = Keeping::Window;
        self.budget.note_windowed();
        let hooks = self.with(|arriving| {
            arriving.outgrown = true;
            std::mem::take(&mut arriving.outgrown_hooks)
        });
        hooks.into_iter().for_each(|hook| hook());
    }

    fn poll_deserted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.keeping == Keeping::All {
            // Only a push changes that, and it needs this writer.
            return Poll::Pending;
        }
        self.with(|arriving| {
            if arriving.is_unread() {
                return Poll::Ready(());
            }
            arriving.writer = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn become_whole(&mut self, trailer: Option<Bytes>) -> End {
        self.ended = true;
        let whole = self.put_together(trailer);
        // First whole, then no longer arriving: a reader that finds neither would be lost.
        self.body.shared.whole.set(whole).expect("this writer alone sets it, once");
        // The hooks before the readers, so that who has read the end finds the entry in its tier.
        let hooks = self.with(|arriving| std::mem::take(&mut arriving.hooks));
        hooks.into_iter().for_each(|hook| hook(&End::Whole));
        let arriving = self.body.shared.arriving.lock().take();
        if let Some(mut arriving) = arriving {
            arriving.hooks.drain(..).for_each(|hook| hook(&End::Whole));
            arriving.take_all_wakers().into_iter().for_each(Waker::wake);
        }
        End::Whole
    }

    fn put_together(&self, trailer: Option<Bytes>) -> Whole {
        let pieces = self.with(|arriving| arriving.pieces());
        if let [] | [_] = &pieces[..] {
            return Whole::one(
                pieces.into_iter().next().map(|it| it.bytes).unwrap_or_default(),
                trailer,
            );
        }
        if self.len > ONE_SLICE_BYTES_MAX {
            return Whole::many(pieces, trailer);
        }
        let parts: Vec<_> = pieces.iter().map(|Piece { bytes, .. }| bytes.clone()).collect();
        match self.budget.try_page(&parts) {
            Some(page) => Whole::one(page, trailer),
            None => Whole::many(pieces, trailer),
        }
    }

    fn end_with(&mut self, end: End, trailer: Option<Bytes>) -> End {
        self.ended = true;
        let (hooks, wakers) = self.with(|arriving| {
            arriving.end_here(end.clone(), trailer);
            (std::mem::take(&mut arriving.hooks), arriving.take_all_wakers())
        });
        hooks.into_iter().for_each(|hook| hook(&end));
        wakers.into_iter().for_each(Waker::wake);
        end
    }
}

impl Drop for BodyWriter {
    fn drop(&mut self) {
        if !self.ended {
            self.end_with(End::Broken(Broken::new("its writer left before the end")), None);
        }
    }
}
