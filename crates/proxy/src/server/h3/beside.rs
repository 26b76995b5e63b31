//! The streams of a client beside its requests: each says first what it is for (9114 6.2).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use quinn::{ReadError, RecvStream};
use tokio::time::Instant;

use super::code::{Code, Fault};
use super::control::{self, Control, Decoder, Purpose};

/// Bytes taken off such a stream at once.
const READ_BYTES_MAX: usize = 4 * 1024;

/// What the streams of one connection share: since when it is there, and which streams came that may
/// come once.
pub(super) struct Beside {
    began: Instant,
    came: Mutex<Vec<Purpose>>,
}

/// A stream that stays open as long as its connection.
enum Critical {
    Control(Box<Control>),
    Encoder,
    Decoder(Decoder),
}

impl Beside {
    pub(super) fn new() -> Self {
        Beside { began: Instant::now(), came: Mutex::default() }
    }

    /// Hears a stream to its end; an error ends the connection.
    pub(super) async fn hear(&self, mut stream: RecvStream) -> Result<(), Fault> {
        let Some((purpose, rest)) = purpose(&mut stream).await else { return Ok(()) };
        let critical = match purpose {
            Purpose::Control => Critical::Control(Box::default()),
            Purpose::Encoder => Critical::Encoder,
            Purpose::Decoder => Critical::Decoder(Decoder::default()),
            Purpose::Push => {
                return Err(Fault::new(Code::StreamCreationError, "a client cannot push"));
            }
            Purpose::Unknown => {
                // One that has ended needs no word.
                let _ = stream.stop(Code::StreamCreationError.into());
                return Ok(());
            }
        };
        self.note(purpose)?;
        self.hear_critical(critical, rest, stream).await
    }

    fn note(&self, purpose: Purpose) -> Result<(), Fault> {
        let mut came = self.came.lock();
        if came.contains(&purpose) {
            let text = "a stream is opened twice that may be there once";
            return Err(Fault::new(Code::StreamCreationError, text));
        }
        came.push(purpose);
        Ok(())
    }

    async fn hear_critical(
        &self,
        mut critical: Critical,
        mut bytes: Bytes,
        mut stream: RecvStream,
    ) -> Result<(), Fault> {
        loop {
            critical.take(bytes, self.began.elapsed())?;
            bytes = match stream.read_chunk(READ_BYTES_MAX, true).await {
                Ok(Some(chunk)) => chunk.bytes,
                Ok(None) | Err(ReadError::Reset(_)) => {
                    let text = "a stream has ended that must stay open";
                    return Err(Fault::new(Code::ClosedCriticalStream, text));
                }
                Err(
                    ReadError::ConnectionLost(_)
                    | ReadError::ClosedStream
                    | ReadError::IllegalOrderedRead
                    | ReadError::ZeroRttRejected,
                ) => return Ok(()),
            };
        }
    }
}

impl Critical {
    fn take(&mut self, bytes: Bytes, now: Duration) -> Result<(), Fault> {
        match self {
            Critical::Control(control) => control.take(bytes, now),
            Critical::Encoder => control::encoder(&bytes),
            Critical::Decoder(decoder) => decoder.take(&bytes),
        }
    }
}

/// What a stream is for, and what of it was read beyond that; `None` where it ends before it has said
/// so, which is allowed.
async fn purpose(stream: &mut RecvStream) -> Option<(Purpose, Bytes)> {
    let mut read = BytesMut::new();
    loop {
        if let Some((purpose, length)) = Purpose::read(&read) {
            return Some((purpose, read.split_off(length).freeze()));
        }
        read.extend_from_slice(&stream.read_chunk(READ_BYTES_MAX, true).await.ok()??.bytes);
    }
}
