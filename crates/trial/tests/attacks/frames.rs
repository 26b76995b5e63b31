//! HTTP/2 frames by hand (RFC 9113 sections 4 and 6), for what no library would send.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage};

/// DATA, as the RFC calls it.
pub(crate) const BODY: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The pseudo-fields of a GET for this path from host `a`.
pub(crate) fn get(path: &str) -> [(&str, &str); 4] {
    [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)]
}

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields as literals for which no table is used (RFC 7541 section 6.2.2).
pub(crate) fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            number(text.len(), &mut block);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// A length with a prefix of seven bits (RFC 7541 section 5.1).
fn number(length: usize, block: &mut Vec<u8>) {
    let Some(mut rest) = length.checked_sub(127) else {
        return block.push(length as u8);
    };
    block.push(127);
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// The head of a request that has no body.
pub(crate) fn request(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &literals(fields))
}

/// A frame that came.
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The next frame; `None` when the connection is over.
pub(crate) async fn next(stream: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.ok()?;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some(Frame { kind: head[3], flags: head[4], stream: id, payload })
}

/// Reads until one of these kinds comes; `None` when the connection is over.
pub(crate) async fn until(stream: &mut TcpStream, kinds: &[u8]) -> Option<Frame> {
    let reading = async {
        loop {
            let frame = next(stream).await?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no frame of {kinds:?} came"))
}

impl Stage {
    /// A connection that speaks HTTP/2, with these settings said.
    pub(crate) async fn h2(&self, settings: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        let mut hello = PREFACE.to_vec();
        hello.extend(frame(SETTINGS, 0, 0, settings));
        stream.write_all(&hello).await.expect("the gateway reads");
        until(&mut stream, &[SETTINGS]).await.expect("it answers with its own");
        stream.write_all(&frame(SETTINGS, 1, 0, &[])).await.expect("the gateway reads");
        stream
    }

    /// Sends frames on a connection of their own; what comes of the request in them.
    pub(crate) async fn h2_sends(&self, frames: &[u8]) -> Outcome {
        let mut stream = self.h2(&[]).await;
        let _ = stream.write_all(frames).await;
        outcome(&mut stream).await
    }
}

/// What comes of a request that was sent.
pub(crate) async fn outcome(stream: &mut TcpStream) -> Outcome {
    let (mut answered, mut body) = (0, String::new());
    loop {
        let Some(frame) = until(stream, &[HEADERS, BODY, RST_STREAM, GOAWAY]).await else {
            return Outcome::Closed;
        };
        match frame.kind {
            HEADERS => answered = status(&frame.payload),
            BODY => body.push_str(&String::from_utf8_lossy(&frame.payload)),
            RST_STREAM => return Outcome::Reset,
            _ => return Outcome::Closed,
        }
        if frame.flags & END_STREAM != 0 {
            return Outcome::Answered(answered, body);
        }
    }
}

/// What came of a request over HTTP/2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered: the status, and the body.
    Answered(u16, String),
    /// Its stream was reset.
    Reset,
    /// The connection was closed.
    Closed,
}

/// The status that begins a block (RFC 7541 appendix A); 0 where it is none of the usual ones.
pub(crate) fn status(block: &[u8]) -> u16 {
    match block.first() {
        Some(0x88) => 200,
        Some(0x89) => 204,
        Some(0x8a) => 206,
        Some(0x8b) => 304,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        Some(0x8e) => 500,
        Some(_) | None => 0,
    }
}
