//! The syntax of HTTP/1 messages, as both sides of the gateway read and write it (RFC 9112): lines,
//! fields, bodies, and bytes that wait to be written. Not here: what a request or a response is.

mod decode;
mod fields;
mod output;
mod scan;
mod write;

pub(crate) use decode::{BodyBounds, Decoded, Decoder, Padding, without_forbidden};
pub(crate) use fields::{is_listed, members, parse as parse_fields};
pub(crate) use output::Output;
pub(crate) use scan::{Block, Bounds, Scan};
pub(crate) use write::{append_chunk_size, append_field};

/// Why bytes are not what RFC 9112 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which rule they break.
    pub(crate) kind: FaultKind,
    /// How, in one line without a line end.
    pub(crate) text: &'static str,
}

/// Which rule of RFC 9112 is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Lines and fields (sections 2 to 5).
    Syntax,
    /// Where a body ends (sections 6 and 7).
    Framing,
    /// The first line is longer than its bound.
    LineTooLong,
    /// A block of lines is larger than its bounds.
    BlockTooLarge,
    /// A body is longer than its bound.
    BodyTooLong,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, text: &'static str) -> Self {
        Fault { kind, text }
    }

    fn syntax(text: &'static str) -> Self {
        Fault::new(FaultKind::Syntax, text)
    }

    fn framing(text: &'static str) -> Self {
        Fault::new(FaultKind::Framing, text)
    }
}
