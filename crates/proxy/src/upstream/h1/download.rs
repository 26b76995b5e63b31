//! A response's body as it comes off the socket, with what is left of the request beside it.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;

use super::super::cause;
use super::super::ended::Ended;
use super::connection::Connection;
use super::response::Persistence;
use super::upload::Waits;
use crate::failure::FailureKind;
use crate::http1::{Decoded, Decoder};

/// A body on a connection of its own. Dropped, the connection closes.
pub(in super::super) struct Download {
    connection: Box<Connection>,
    read_timeout: Duration,
}

impl Download {
    pub(super) fn new(connection: Box<Connection>, read_timeout: Duration) -> Self {
        Download { connection, read_timeout }
    }

    /// The next frame, or the end where the origin said that it is one.
    pub(in super::super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Ended>> {
        loop {
            if self.connection.poll_upload(cx).is_err() {
                return Poll::Ready(Err(FailureKind::RequestCut.into()));
            }
            let connection = &mut *self.connection;
            let decoded = connection.decoder.decode(&mut connection.socket.input);
            let frame = match decoded {
                Ok(Decoded::Bytes(bytes)) => Some(Frame::data(bytes)),
                Ok(Decoded::Trailers(trailers)) => Some(Frame::trailers(trailers)),
                Ok(Decoded::End) => None,
                Ok(Decoded::Hungry) => match ready!(self.poll_more(cx)) {
                    Ok(()) => continue,
                    Err(ended) => return Poll::Ready(Err(ended)),
                },
                Err(fault) => {
                    return Poll::Ready(Err(Ended::because(FailureKind::BodyCut, fault.text)));
                }
            };
            self.connection.wait.end();
            return Poll::Ready(Ok(frame));
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        Poll::Ready(match self.connection.socket.poll_fill(cx) {
            Poll::Ready(Ok(0)) if self.connection.decoder.ends_with_connection() => {
                self.connection.decoder = Decoder::counted(0);
                Ok(())
            }
            Poll::Ready(Ok(0)) => Err(FailureKind::BodyCut.into()),
            Poll::Ready(Ok(_)) => Ok(()),
            Poll::Ready(Err(error)) => Err(Ended::because(FailureKind::BodyCut, cause(&error))),
            Poll::Pending => {
                // The client's own silence is not the origin's.
                let limit = match self.connection.upload.waits() {
                    Waits::Client => None,
                    Waits::Origin | Waits::Nothing => Some(self.read_timeout),
                };
                ready!(self.connection.poll_wait(cx, limit));
                Err(FailureKind::BodyTimeout.into())
            }
        })
    }

    /// Sends what can be sent of the request, while nobody takes the response. A request that fails
    /// fails the next frame.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        let _ = self.connection.poll_upload(cx);
    }

    /// Whether nothing is to come.
    pub(in super::super) fn is_over(&self) -> bool {
        self.connection.decoder.is_done()
    }

    /// The bytes that are still to come, where that is known.
    pub(in super::super) fn length_left(&self) -> Option<u64> {
        self.connection.decoder.length_left()
    }

    /// All of the body, if it came with the head. Then it is over.
    pub(in super::super) fn take_whole(&mut self) -> Option<Bytes> {
        if !self.is_here() {
            return None;
        }
        let connection = &mut *self.connection;
        match connection.decoder.decode(&mut connection.socket.input) {
            Ok(Decoded::Bytes(bytes)) => Some(bytes),
            Ok(Decoded::Trailers(_) | Decoded::Hungry | Decoded::End) | Err(_) => None,
        }
    }

    /// Whether all that is to come has been read off the socket.
    fn is_here(&self) -> bool {
        self.length_left().is_some_and(|left| left <= self.connection.socket.input.len() as u64)
    }

    /// Whether the response began before the request had gone out, and neither is at its end.
    pub(in super::super) fn is_early(&self) -> bool {
        !self.connection.upload.is_whole() && !self.is_here()
    }

    /// The connection, when another exchange may follow on it: both messages were whole, and not a
    /// byte came behind them (RFC 9112 sections 9.3 and 9.6).
    pub(in super::super) fn into_connection(self) -> Option<Box<Connection>> {
        let goes_on = self.connection.persistence == Persistence::Keep
            && self.is_over()
            && self.connection.upload.is_whole()
            && self.connection.socket.input.is_empty();
        goes_on.then_some(self.connection)
    }
}
