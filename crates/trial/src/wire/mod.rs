//! HTTP/1.1 as bytes, read and written by hand (RFC 9112).
//!
//! Shares no code with the program: what one side gets wrong, the other must not excuse.

mod message;
mod reader;

pub use message::{Ending, Head, Message};
pub(crate) use message::{field_line, joined, latin1};
pub use reader::{BodyReader, MessageReader, Piece};

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes in both directions, whatever they run over.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection.
pub type Wire = Box<dyn Duplex>;

/// The longest head that either end reads; longer is a failure of the trial.
pub const HEAD_BYTES_MAX: usize = 512 * 1024;

/// The longest body that either end reads; longer is a failure of the trial.
pub const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The body that `body N bytes` stands for: the same bytes at every call, no two lines alike.
pub fn made_body(length: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(length + 16);
    while body.len() < length {
        let line = format!("{:09} made bytes\n", body.len());
        body.extend_from_slice(line.as_bytes());
    }
    body.truncate(length);
    body
}
