//! Request bodies off the wire: counted or chunked, strictly (9112 6.2, 7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::super::refusal::{Refusal, RefusalReason};
use super::fields;
use super::head::Framing;
use super::scan::{Bounds, Scan};
use crate::config::Limits;

/// Hex digits of a chunk size: 64 bits.
const SIZE_DIGITS_MAX: usize = 16;
/// Bytes of chunk extensions in one body, all together. Nobody uses them but attackers.
const EXTENSION_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a trailer section.
const TRAILER_BYTES_MAX: usize = 8 * 1024;
const SIZE_END: &str = "a chunk size is not followed by CRLF";

/// A request body being taken off the input.
pub(super) struct Decoder {
    state: State,
    received: u64,
    extension_bytes: usize,
}

enum State {
    /// Bytes of a body that has a length.
    Counted(u64),
    /// Bytes of a chunk.
    Chunk(u64),
    /// What stands between the chunks.
    Between(Between),
    Trailers(Scan),
    Done,
}

#[derive(Clone, Copy)]
enum Between {
    Size { size: u64, digits: usize },
    Extension { size: u64 },
    SizeLf { size: u64 },
    ChunkCr,
    ChunkLf,
}

/// What one step of decoding gave.
#[derive(Debug, PartialEq)]
pub(super) enum Decoded {
    /// Some of the body.
    Bytes(Bytes),
    /// Its trailers, without those that would change what the message is; none are no frame.
    Trailers(HeaderMap),
    /// More input is needed.
    Hungry,
    /// It is whole.
    End,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Counted(length),
            Framing::Chunked => State::Between(Between::Size { size: 0, digits: 0 }),
        };
        Decoder { state, received: 0, extension_bytes: 0 }
    }

    /// Whether the whole body has been taken off the input.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes that are known to come still: all of them with a length, the least with chunks.
    pub(super) fn left(&self) -> u64 {
        match self.state {
            State::Counted(left) | State::Chunk(left) => left,
            State::Between(_) | State::Trailers(_) | State::Done => 0,
        }
    }

    /// Takes the next piece off the input.
    pub(super) fn decode(
        &mut self,
        input: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Decoded, Refusal> {
        loop {
            match &mut self.state {
                State::Done => return Ok(Decoded::End),
                State::Trailers(scan) => {
                    let Some(block) = scan.block(input, trailer_bounds(limits))? else {
                        return Ok(Decoded::Hungry);
                    };
                    let trailers = fields::parse(&input.split_to(block.end).freeze(), block.lines)?;
                    self.state = State::Done;
                    let trailers = without_forbidden(trailers);
                    if !trailers.is_empty() {
                        return Ok(Decoded::Trailers(trailers));
                    }
                }
                State::Counted(_) | State::Chunk(_) | State::Between(_) if input.is_empty() => {
                    return Ok(Decoded::Hungry);
                }
                State::Between(between) => {
                    let between = *between;
                    self.state = self.step(between, input.get_u8(), limits)?;
                }
                State::Counted(left) => {
                    let bytes = take(input, left);
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    return Ok(Decoded::Bytes(bytes));
                }
                State::Chunk(left) => {
                    let bytes = take(input, left);
                    if *left == 0 {
                        self.state = State::Between(Between::ChunkCr);
                    }
                    return Ok(Decoded::Bytes(bytes));
                }
            }
        }
    }

    /// One byte of what stands between the chunks (VSV00016: each of them counts).
    fn step(&mut self, between: Between, byte: u8, limits: &Limits) -> Result<State, Refusal> {
        match between {
            Between::Size { size, digits } => size_byte(size, digits, byte),
            Between::Extension { size } => self.extension_byte(size, byte),
            Between::SizeLf { .. } if byte != b'\n' => Err(refuse(SIZE_END)),
            Between::SizeLf { size: 0 } => Ok(State::Trailers(Scan::default())),
            Between::SizeLf { size } => self.begin_chunk(size, limits),
            Between::ChunkCr if byte == b'\r' => Ok(State::Between(Between::ChunkLf)),
            Between::ChunkLf if byte == b'\n' => {
                Ok(State::Between(Between::Size { size: 0, digits: 0 }))
            }
            Between::ChunkCr | Between::ChunkLf => {
                Err(refuse("a chunk does not end with CRLF where its size says"))
            }
        }
    }

    fn extension_byte(&mut self, size: u64, byte: u8) -> Result<State, Refusal> {
        self.extension_bytes += 1;
        match byte {
            b'\r' => Ok(State::Between(Between::SizeLf { size })),
            _ if self.extension_bytes > EXTENSION_BYTES_MAX => {
                Err(refuse("the chunk extensions are too long"))
            }
            b'\t' | b' '..=b'~' | 0x80.. => Ok(State::Between(Between::Extension { size })),
            _ => Err(refuse(SIZE_END)),
        }
    }

    fn begin_chunk(&mut self, size: u64, limits: &Limits) -> Result<State, Refusal> {
        self.received = self.received.saturating_add(size);
        if self.received > limits.body_bytes_max {
            return Err(Refusal::new(RefusalReason::BodyTooLarge, "the request body is too long"));
        }
        Ok(State::Chunk(size))
    }
}

fn size_byte(size: u64, digits: usize, byte: u8) -> Result<State, Refusal> {
    let between = match (byte, char::from(byte).to_digit(16)) {
        (_, Some(_)) if digits == SIZE_DIGITS_MAX => {
            return Err(refuse("a chunk size has too many digits"));
        }
        (_, Some(digit)) => {
            Between::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
        }
        _ if digits == 0 => return Err(refuse("a chunk does not begin with its size")),
        (b';', None) => Between::Extension { size },
        (b'\r', None) => Between::SizeLf { size },
        _ => return Err(refuse(SIZE_END)),
    };
    Ok(State::Between(between))
}

fn take(input: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= length as u64;
    input.split_to(length).freeze()
}

fn trailer_bounds(limits: &Limits) -> Bounds {
    Bounds {
        first_line_bytes_max: usize::MAX,
        bytes_max: TRAILER_BYTES_MAX,
        lines_max: limits.fields_max,
    }
}

/// What may not come behind a body, because it was acted on before it: framing, routing,
/// authentication, conditions, and how the body is to be read (9110 6.5.1).
pub(crate) fn is_forbidden_trailer(name: &str) -> bool {
    matches!(
        name,
        "transfer-encoding"
            | "content-length"
            | "host"
            | "trailer"
            | "te"
            | "connection"
            | "keep-alive"
            | "proxy-connection"
            | "upgrade"
            | "authorization"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "www-authenticate"
            | "cookie"
            | "set-cookie"
            | "cache-control"
            | "pragma"
            | "expires"
            | "age"
            | "date"
            | "vary"
            | "location"
            | "expect"
            | "max-forwards"
            | "range"
            | "content-encoding"
            | "content-type"
            | "content-range"
            | "if-match"
            | "if-none-match"
            | "if-modified-since"
            | "if-unmodified-since"
            | "if-range"
            | "forwarded"
            | "via"
    ) || name.starts_with("x-forwarded-")
}

/// Trailers without those that may not be trailers; of requests, and of answers.
pub(crate) fn without_forbidden(mut trailers: HeaderMap) -> HeaderMap {
    let forbidden: Vec<_> =
        trailers.keys().filter(|name| is_forbidden_trailer(name.as_str())).cloned().collect();
    for name in forbidden {
        trailers.remove(name);
    }
    trailers
}

fn refuse(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Framing, text)
}
