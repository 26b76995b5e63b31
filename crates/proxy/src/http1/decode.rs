//! Bodies off the wire: counted, chunked, or up to the connection's end, strictly (9112 6, 7.1).

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::fields;
use super::scan::{Bounds, Scan};
use super::{Fault, FaultKind};

/// Hex digits of a chunk size: 64 bits.
const SIZE_DIGITS_MAX: usize = 16;
/// Bytes of chunk extensions in one body, all together, or in one chunk where padding is allowed.
/// Nobody uses them but attackers.
const EXTENSION_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a trailer section.
const TRAILER_BYTES_MAX: usize = 8 * 1024;
const SIZE_END: &str = "a chunk size is not followed by CRLF";

/// A body being taken off the input.
pub(crate) struct Decoder {
    state: State,
    bounds: BodyBounds,
    received: u64,
    extension_bytes: usize,
}

/// What a chunked body may measure, and how it may be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyBounds {
    /// Bytes of all chunks.
    pub(crate) bytes_max: u64,
    /// Lines of its trailer section.
    pub(crate) trailer_lines_max: usize,
    /// White space behind a chunk's size.
    pub(crate) padding: Padding,
}

/// Whether white space may stand behind a chunk's size. The grammar has none, and what a request
/// says must have one reading only; old origins pad with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// It counts as an extension.
    Allowed,
    /// It is a fault.
    Refused,
}

enum State {
    /// Bytes of a body that has a length.
    Counted(u64),
    /// Bytes of a body that the connection's end ends.
    UntilEnd,
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
pub(crate) enum Decoded {
    /// Some of the body.
    Bytes(Bytes),
    /// Its trailers, without those that would change what the message is; none are no frame.
    Trailers(HeaderMap),
    /// More input is needed.
    Hungry,
    /// It is whole.
    End,
}

impl BodyBounds {
    /// Of a body that has nothing to bound but its length.
    const NONE: BodyBounds =
        BodyBounds { bytes_max: u64::MAX, trailer_lines_max: 0, padding: Padding::Refused };
}

impl Decoder {
    /// A body of so many bytes.
    pub(crate) fn counted(length: u64) -> Self {
        let state = if length == 0 { State::Done } else { State::Counted(length) };
        Decoder::of(state, BodyBounds::NONE)
    }

    /// A body in chunks.
    pub(crate) fn chunked(bounds: BodyBounds) -> Self {
        Decoder::of(State::Between(Between::Size { size: 0, digits: 0 }), bounds)
    }

    /// A body that the connection's end ends; the decoder does not learn of that.
    pub(crate) fn until_end() -> Self {
        Decoder::of(State::UntilEnd, BodyBounds::NONE)
    }

    fn of(state: State, bounds: BodyBounds) -> Self {
        Decoder { state, bounds, received: 0, extension_bytes: 0 }
    }

    /// Whether the whole body has been taken off the input.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the connection's end is the body's.
    pub(crate) fn ends_with_connection(&self) -> bool {
        matches!(self.state, State::UntilEnd)
    }

    /// What is left of a body that has a length.
    pub(crate) fn length_left(&self) -> Option<u64> {
        match self.state {
            State::Counted(left) => Some(left),
            State::Done => Some(0),
            State::Chunk(_) | State::UntilEnd | State::Between(_) | State::Trailers(_) => None,
        }
    }

    /// Bytes that are known to come still: all of them with a length, the least with chunks.
    pub(crate) fn left(&self) -> u64 {
        match self.state {
            State::Counted(left) | State::Chunk(left) => left,
            State::UntilEnd | State::Between(_) | State::Trailers(_) | State::Done => 0,
        }
    }

    /// Takes the next piece off the input.
    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, Fault> {
        loop {
            match &mut self.state {
                State::Done => return Ok(Decoded::End),
                State::Trailers(scan) => {
                    let Some(block) = scan.block(input, trailer_bounds(&self.bounds))? else {
                        return Ok(Decoded::Hungry);
                    };
                    let trailers = fields::parse(&input.split_to(block.end).freeze(), block.lines)?;
                    self.state = State::Done;
                    let trailers = without_forbidden(trailers);
                    if !trailers.is_empty() {
                        return Ok(Decoded::Trailers(trailers));
                    }
                }
                State::Counted(_) | State::UntilEnd | State::Chunk(_) | State::Between(_)
                    if input.is_empty() =>
                {
                    return Ok(Decoded::Hungry);
                }
                State::Between(between) => {
                    let between = *between;
                    self.state = self.step(between, input.get_u8())?;
                }
                State::UntilEnd => return Ok(Decoded::Bytes(input.split().freeze())),
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
    fn step(&mut self, between: Between, byte: u8) -> Result<State, Fault> {
        match between {
            Between::Size { size, digits } => size_byte(size, digits, byte, self.bounds.padding),
            Between::Extension { size } => self.extension_byte(size, byte),
            Between::SizeLf { .. } if byte != b'\n' => Err(Fault::framing(SIZE_END)),
            Between::SizeLf { size: 0 } => Ok(State::Trailers(Scan::default())),
            Between::SizeLf { size } => self.begin_chunk(size),
            Between::ChunkCr if byte == b'\r' => Ok(State::Between(Between::ChunkLf)),
            Between::ChunkLf if byte == b'\n' => {
                Ok(State::Between(Between::Size { size: 0, digits: 0 }))
            }
            Between::ChunkCr | Between::ChunkLf => {
                Err(Fault::framing("a chunk does not end with CRLF where its size says"))
            }
        }
    }

    fn extension_byte(&mut self, size: u64, byte: u8) -> Result<State, Fault> {
        self.extension_bytes += 1;
        match byte {
            b'\r' => Ok(State::Between(Between::SizeLf { size })),
            _ if self.extension_bytes > EXTENSION_BYTES_MAX => {
                Err(Fault::framing("the chunk extensions are too long"))
            }
            b'\t' | b' '..=b'~' | 0x80.. => Ok(State::Between(Between::Extension { size })),
            _ => Err(Fault::framing(SIZE_END)),
        }
    }

    fn begin_chunk(&mut self, size: u64) -> Result<State, Fault> {
        self.received = self.received.saturating_add(size);
        if self.received > self.bounds.bytes_max {
            return Err(Fault::new(FaultKind::BodyTooLong, "the body is too long"));
        }
        if self.bounds.padding == Padding::Allowed {
            // Who pads one size pads each, and a body has as many as it likes.
            self.extension_bytes = 0;
        }
        Ok(State::Chunk(size))
    }
}

fn size_byte(size: u64, digits: usize, byte: u8, padding: Padding) -> Result<State, Fault> {
    let between = match (byte, char::from(byte).to_digit(16)) {
        (_, Some(_)) if digits == SIZE_DIGITS_MAX => {
            return Err(Fault::framing("a chunk size has too many digits"));
        }
        (_, Some(digit)) => {
            Between::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
        }
        _ if digits == 0 => return Err(Fault::framing("a chunk does not begin with its size")),
        (b';', None) => Between::Extension { size },
        (b' ' | b'\t', None) if padding == Padding::Allowed => Between::Extension { size },
        (b'\r', None) => Between::SizeLf { size },
        _ => return Err(Fault::framing(SIZE_END)),
    };
    Ok(State::Between(between))
}

fn take(input: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= length as u64;
    input.split_to(length).freeze()
}

fn trailer_bounds(bounds: &BodyBounds) -> Bounds {
    Bounds {
        first_line_bytes_max: usize::MAX,
        bytes_max: TRAILER_BYTES_MAX,
        lines_max: bounds.trailer_lines_max,
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
