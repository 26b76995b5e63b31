//! A response that began before its request had ended: a task of its own carries both on.
//!
//! Whoever reads the response may wait for a client that reads nothing until it has sent
//! everything; the request must not wait for that reader.

use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc::{self, Permit, Receiver, Sender};

use super::super::ended::Ended;
use super::download::Download;
use crate::failure::FailureKind;

/// Frames between the task and its reader. The socket is read no faster than they are taken.
const FRAMES_MAX: usize = 1;

/// What the task says: a frame, the end, or why there is none.
type Said = Result<Option<Frame<Bytes>>, Ended>;

/// The reader's end. Dropped, the task ends and the connection closes.
pub(in super::super) struct Apart {
    said: Receiver<Said>,
    length_left: Option<u64>,
}

impl Apart {
    /// Lets a download go on by itself.
    pub(in super::super) fn of(download: Download) -> Self {
        let (sender, said) = mpsc::channel(FRAMES_MAX);
        let length_left = download.length_left();
        tokio::spawn(carry(download, sender));
        Apart { said, length_left }
    }

    /// The next frame, or the end where the origin said that it is one.
    pub(in super::super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Said> {
        // A task that ended without a word did not see the body's end.
        let said = std::task::ready!(self.said.poll_recv(cx))
            .unwrap_or_else(|| Err(FailureKind::BodyCut.into()));
        if let (Some(left), Ok(Some(frame))) = (&mut self.length_left, &said) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
        Poll::Ready(said)
    }

    /// The bytes that are still to come, where that is known.
    pub(in super::super) fn length_left(&self) -> Option<u64> {
        self.length_left
    }
}

/// Carries the request on always, and the response as fast as it is read. The connection is not
/// used again: what the origin did with the rest of such a request is not known.
async fn carry(mut download: Download, sender: Sender<Said>) {
    while let Some(place) = place(&mut download, &sender).await {
        let said = tokio::select! {
            said = poll_fn(|cx| download.poll_frame(cx)) => said,
            () = sender.closed() => return,
        };
        let is_last = !matches!(said, Ok(Some(_)));
        place.send(said);
        if is_last {
            return;
        }
    }
}

/// A place for a frame, when the reader has taken the one before; none when it has left.
async fn place<'a>(download: &mut Download, sender: &'a Sender<Said>) -> Option<Permit<'a, Said>> {
    let upload = poll_fn(|cx| -> Poll<Infallible> {
        download.poll_upload(cx);
        Poll::Pending
    });
    tokio::select! {
        place = sender.reserve() => place.ok(),
        never = upload => match never {},
    }
}
