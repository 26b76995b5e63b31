//! What is written to a client on a request's stream (9114 4.1, 4.3.2).

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::DATE;
use http::{HeaderMap, StatusCode};
use quinn::{SendStream, WriteError};
use tokio::time::timeout;

use super::super::link::Interim;
use super::super::stats::count;
use super::super::terms::Terms;
use super::code::Code;
use super::frame::{self, kind};
use super::qpack::Section;

/// What was handed over last is on its way, and may take so many times the time that a piece may
/// take: it is as much as the send window, which is that many pieces of a slow client.
const LAST_PIECES: u32 = 4;

/// Why an answer did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// The client has given it up, or is gone.
    Gone,
    /// The client takes none of it for too long.
    Stalled,
}

/// An answer under way. Dropped before its end, it is cut so that the client sees it.
pub(super) struct Reply {
    stream: SendStream,
    terms: Arc<Terms>,
    is_ended: bool,
}

impl Reply {
    pub(super) fn new(stream: SendStream, terms: Arc<Terms>) -> Self {
        Reply { stream, terms, is_ended: false }
    }

    /// Waits until the client wants no more of it, or has all of it.
    pub(super) fn given_up(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = self.stream.stopped();
        async move { drop(stopped.await) }
    }

    /// Writes interim heads.
    pub(super) async fn interim(&mut self, all: Vec<Interim>) -> Result<(), Unsent> {
        for Interim { status, fields } in all {
            self.fields(section(status, &fields)).await?;
        }
        Ok(())
    }

    /// Writes the answer's head.
    pub(super) async fn head(
        &mut self,
        status: StatusCode,
        fields: &HeaderMap,
    ) -> Result<(), Unsent> {
        let mut section = section(status, fields);
        if !fields.contains_key(DATE) {
            let date = httpdate::fmt_http_date(SystemTime::now());
            section.add(DATE.as_str(), date.as_bytes());
        }
        self.fields(section).await
    }

    /// Writes some of the body.
    pub(super) async fn piece(&mut self, bytes: Bytes) -> Result<(), Unsent> {
        let mut front = Vec::new();
        frame::append_front(&mut front, kind::CONTENT, bytes.len() as u64);
        self.write([front.into(), bytes]).await
    }

    /// Writes trailers.
    pub(super) async fn trailers(&mut self, fields: &HeaderMap) -> Result<(), Unsent> {
        let mut section = Section::new();
        fields.iter().for_each(|(name, value)| section.add(name.as_str(), value.as_bytes()));
        self.fields(section).await
    }

    /// Ends the answer, and waits until the client has it.
    pub(super) async fn end(mut self) -> Result<(), Unsent> {
        // It may be that the client has stopped it just now.
        let _ = self.stream.finish();
        let patience = self.terms.limits.send_timeout * LAST_PIECES;
        let taken = timeout(patience, self.given_up()).await;
        self.is_ended = taken.is_ok();
        taken.map_err(|_| self.stalled())
    }

    /// Gives the answer up, for this reason.
    pub(super) fn cancel(mut self, code: Code) {
        // One that the client has stopped needs no word.
        let _ = self.stream.reset(code.into());
        self.is_ended = true;
    }

    async fn fields(&mut self, section: Section) -> Result<(), Unsent> {
        let mut out = Vec::new();
        frame::append(&mut out, kind::HEADERS, &section.into_bytes());
        self.write([out.into(), Bytes::new()]).await
    }

    /// Each part of it that is taken gives the client its time anew.
    async fn write(&mut self, mut chunks: [Bytes; 2]) -> Result<(), Unsent> {
        let patience = self.terms.limits.send_timeout;
        while let Some(first) = chunks.iter().position(|chunk| !chunk.is_empty()) {
            match timeout(patience, self.stream.write_chunks(&mut chunks[first..])).await {
                Ok(Ok(_)) => {}
                Ok(Err(
                    WriteError::Stopped(_)
                    | WriteError::ConnectionLost(_)
                    | WriteError::ClosedStream
                    | WriteError::ZeroRttRejected,
                )) => return Err(Unsent::Gone),
                Err(_) => return Err(self.stalled()),
            }
        }
        Ok(())
    }

    fn stalled(&self) -> Unsent {
        count(&self.terms.stats.h3_stalls);
        Unsent::Stalled
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.is_ended {
            let _ = self.stream.reset(Code::RequestCancelled.into());
        }
    }
}

fn section(status: StatusCode, fields: &HeaderMap) -> Section {
    let mut section = Section::new();
    section.add(":status", status.as_str().as_bytes());
    fields.iter().for_each(|(name, value)| section.add(name.as_str(), value.as_bytes()));
    section
}
