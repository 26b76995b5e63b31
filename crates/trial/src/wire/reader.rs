//! Reads messages from a connection: heads, then bodies piece by piece.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::message::field_line;
use super::{BODY_BYTES_MAX, Ending, HEAD_BYTES_MAX, Head, Message};
use crate::Failure;

/// Reads messages from one connection, one after the other.
pub struct MessageReader<R> {
    from: R,
    buffer: Vec<u8>,
    ended: bool,
}

/// What is left to read of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyReader {
    /// This many bytes.
    Length(u64),
    /// Chunks, and here begins a chunk's size (RFC 9112 section 7.1).
    Chunked,
    /// This many bytes of a chunk.
    Chunk(u64),
    /// All until the connection ends.
    UntilClose,
}

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// The end, with trailer fields.
    End(Vec<(String, String)>),
    /// The connection ended before the body did.
    Cut,
}

impl BodyReader {
    /// The body of a request with this head (RFC 9112 section 6.3).
    pub fn of_request(head: &Head) -> Result<Self, Failure> {
        BodyReader::framed(head, BodyReader::Length(0))
    }

    /// The body of a response with this head to a request with this method.
    pub fn of_response(head: &Head, method: &str) -> Result<Self, Failure> {
        let status = head.status()?;
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Ok(BodyReader::Length(0));
        }
        BodyReader::framed(head, BodyReader::UntilClose)
    }

    fn framed(head: &Head, otherwise: BodyReader) -> Result<Self, Failure> {
        match (head.field("transfer-encoding"), head.field("content-length")) {
            (Some(_), Some(_)) => Err(Failure::new("both Transfer-Encoding and Content-Length")),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => {
                Ok(BodyReader::Chunked)
            }
            (Some(coding), None) => {
                Err(Failure::new(format!("`{coding}` is no framing that is sent here")))
            }
            (None, Some(length)) => length.parse().map(BodyReader::Length).map_err(|error| {
                Failure::new(format!("cannot read Content-Length `{length}`: {error}"))
            }),
            (None, None) => Ok(otherwise),
        }
    }
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// Reads from this connection.
    pub fn new(from: R) -> Self {
        MessageReader { from, buffer: Vec::new(), ended: false }
    }

    /// Waits for more bytes; `false` at the end of the connection. Loses nothing when dropped.
    pub async fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.buffer.reserve(16 * 1024);
        // A reset connection is an ended one: what was cut is seen in the framing.
        let read = self.from.read_buf(&mut self.buffer).await.unwrap_or(0);
        self.ended = read == 0;
        read > 0
    }

    /// Whether bytes have come that nobody has read.
    pub fn has_bytes(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next head; `None` when the connection ends between messages.
    pub async fn head(&mut self) -> Result<Option<Head>, Failure> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let raw: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return Head::parse(&raw).map(Some);
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(Failure::new(format!("a head is longer than {HEAD_BYTES_MAX} bytes")));
            }
            if self.fill().await {
                continue;
            }
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let shown = super::message::latin1(&self.buffer);
            return Err(Failure::new(format!("the connection ended inside a head: {shown:?}")));
        }
    }

    /// The next piece of a body.
    pub async fn piece(&mut self, body: &mut BodyReader) -> Result<Piece, Failure> {
        match *body {
            BodyReader::Length(0) => Ok(Piece::End(Vec::new())),
            BodyReader::Length(left) => {
                let Some(bytes) = self.up_to(left).await else { return Ok(Piece::Cut) };
                *body = BodyReader::Length(left - bytes.len() as u64);
                Ok(Piece::Bytes(bytes))
            }
            BodyReader::Chunk(left) => self.of_chunk(body, left).await,
            BodyReader::Chunked => self.chunk_size(body).await,
            BodyReader::UntilClose => {
                Ok(self.up_to(u64::MAX).await.map_or(Piece::End(Vec::new()), Piece::Bytes))
            }
        }
    }

    /// All that is left of a body, its trailers, and how it ended.
    pub async fn rest(&mut self, head: Head, mut body: BodyReader) -> Result<Message, Failure> {
        let mut read = Vec::new();
        loop {
            match self.piece(&mut body).await? {
                Piece::Bytes(bytes) => read.extend_from_slice(&bytes),
                Piece::End(trailers) => {
                    return Ok(Message { head, body: read, trailers, ending: Ending::Whole });
                }
                Piece::Cut => {
                    let trailers = Vec::new();
                    return Ok(Message { head, body: read, trailers, ending: Ending::Cut });
                }
            }
            if read.len() > BODY_BYTES_MAX {
                return Err(Failure::new(format!("a body is longer than {BODY_BYTES_MAX} bytes")));
            }
        }
    }

    async fn of_chunk(&mut self, body: &mut BodyReader, left: u64) -> Result<Piece, Failure> {
        let Some(bytes) = self.up_to(left).await else { return Ok(Piece::Cut) };
        let left = left - bytes.len() as u64;
        *body = BodyReader::Chunk(left);
        if left > 0 {
            return Ok(Piece::Bytes(bytes));
        }
        match self.line().await {
            Some(line) if line.is_empty() => *body = BodyReader::Chunked,
            Some(line) => return Err(Failure::new(format!("`{line}` follows a chunk"))),
            None => return Ok(Piece::Cut),
        }
        Ok(Piece::Bytes(bytes))
    }

    async fn chunk_size(&mut self, body: &mut BodyReader) -> Result<Piece, Failure> {
        let Some(line) = self.line().await else { return Ok(Piece::Cut) };
        let size = u64::from_str_radix(&line, 16)
            .map_err(|error| Failure::new(format!("`{line}` is no chunk size: {error}")))?;
        if size > 0 {
            *body = BodyReader::Chunk(size);
            return Ok(Piece::Bytes(Vec::new()));
        }
        let mut trailers = Vec::new();
        loop {
            match self.line().await {
                Some(line) if line.is_empty() => return Ok(Piece::End(trailers)),
                Some(line) => trailers.push(field_line(&line)?),
                None => return Ok(Piece::Cut),
            }
        }
    }

    async fn up_to(&mut self, most: u64) -> Option<Vec<u8>> {
        while self.buffer.is_empty() {
            if !self.fill().await {
                return None;
            }
        }
        let take = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        Some(self.buffer.drain(..take).collect())
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(super::message::latin1(&line[..end]));
            }
            if self.buffer.len() > HEAD_BYTES_MAX || !self.fill().await {
                return None;
            }
        }
    }
}

fn find(within: &[u8], sought: &[u8]) -> Option<usize> {
    within.windows(sought.len()).position(|window| window == sought)
}
