//! Frames: a type, a length, a payload (9114 7.1). Which may be where is said by whoever reads.

use bytes::{Buf, Bytes, BytesMut};

use super::code::{Code, Fault};
use super::varint;

/// The types that we know (9114 7.2).
pub(super) mod kind {
    /// DATA, in the words of the RFC.
    pub(in super::super) const CONTENT: u64 = 0x0;
    pub(in super::super) const HEADERS: u64 = 0x1;
    pub(in super::super) const CANCEL_PUSH: u64 = 0x3;
    pub(in super::super) const SETTINGS: u64 = 0x4;
    pub(in super::super) const PUSH_PROMISE: u64 = 0x5;
    pub(in super::super) const GOAWAY: u64 = 0x7;
    pub(in super::super) const MAX_PUSH_ID: u64 = 0xd;
}

/// Bytes of a frame's type and length.
const FRONT_BYTES_MAX: usize = 2 * varint::BYTES_MAX;

/// What is done with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Its payload is wanted whole. Whoever says so has looked at its length.
    Gather,
    /// Its payload is passed on as it comes.
    Pass,
    /// It means nothing to us (9114 9).
    Skip,
}

/// What frames hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// All of it.
    Whole(u64, Bytes),
    /// The next piece of it, never an empty one.
    Piece(Bytes),
}

/// The frames of one stream, from bytes as they come.
pub(super) struct Frames {
    /// Bytes that came and are not read; there are none where more are asked for.
    input: Bytes,
    front: BytesMut,
    state: State,
    skip_bytes_left: u64,
}

enum State {
    Front,
    Gather { kind: u64, left: u64, gathered: BytesMut },
    Pass(u64),
    Skip(u64),
}

impl Frames {
    /// No more bytes than these may be in frames that are skipped.
    pub(super) fn new(skip_bytes_max: u64) -> Self {
        Frames {
            input: Bytes::new(),
            front: BytesMut::new(),
            state: State::Front,
            skip_bytes_left: skip_bytes_max,
        }
    }

    /// More bytes, after all that there were have been read.
    pub(super) fn push(&mut self, bytes: Bytes) {
        debug_assert!(self.input.is_empty(), "bytes are pushed before those before are read");
        self.input = bytes;
    }

    /// Whether the stream may end here.
    pub(super) fn end(&self) -> Result<(), Fault> {
        match self.state {
            State::Front if self.front.is_empty() => Ok(()),
            State::Front | State::Gather { .. } | State::Pass(_) | State::Skip(_) => {
                Err(Fault::new(Code::FrameError, "the stream ends within a frame"))
            }
        }
    }

    /// The next payload, or `None` when more bytes are needed. `rule` judges each frame by its type
    /// and length.
    pub(super) fn next(
        &mut self,
        mut rule: impl FnMut(u64, u64) -> Result<Treatment, Fault>,
    ) -> Result<Option<Payload>, Fault> {
        loop {
            match &mut self.state {
                State::Front => {
                    let Some((kind, length)) = self.take_front() else { return Ok(None) };
                    self.begin(rule(kind, length)?, kind, length)?;
                }
                State::Gather { kind, left, gathered } => {
                    let piece = take(&mut self.input, left);
                    if *left > 0 {
                        gathered.extend_from_slice(&piece);
                        return Ok(None);
                    }
                    let payload = match gathered.is_empty() {
                        true => piece,
                        false => {
                            gathered.extend_from_slice(&piece);
                            gathered.split().freeze()
                        }
                    };
                    let whole = Payload::Whole(*kind, payload);
                    self.state = State::Front;
                    return Ok(Some(whole));
                }
                State::Pass(0) | State::Skip(0) => self.state = State::Front,
                State::Pass(_) | State::Skip(_) if self.input.is_empty() => return Ok(None),
                State::Pass(left) => {
                    return Ok(Some(Payload::Piece(take(&mut self.input, left))));
                }
                State::Skip(left) => drop(take(&mut self.input, left)),
            }
        }
    }

    fn begin(&mut self, treatment: Treatment, kind: u64, length: u64) -> Result<(), Fault> {
        self.state = match treatment {
            Treatment::Gather => State::Gather { kind, left: length, gathered: BytesMut::new() },
            Treatment::Pass => State::Pass(length),
            Treatment::Skip => {
                // An empty one is work as well.
                let bytes = length.saturating_add(FRONT_BYTES_MAX as u64);
                let left = self.skip_bytes_left.checked_sub(bytes);
                let text = "there are too many frames that mean nothing";
                self.skip_bytes_left = left.ok_or(Fault::new(Code::ExcessiveLoad, text))?;
                State::Skip(length)
            }
        };
        Ok(())
    }

    /// Takes a frame's type and length off the input, once both are there.
    fn take_front(&mut self) -> Option<(u64, u64)> {
        loop {
            if let Some(front) = front(&self.front) {
                self.front.clear();
                return Some(front);
            }
            if self.input.is_empty() {
                return None;
            }
            self.front.extend_from_slice(&[self.input.get_u8()]);
        }
    }
}

fn front(bytes: &[u8]) -> Option<(u64, u64)> {
    let (kind, kind_bytes) = varint::read(bytes)?;
    let (length, _) = varint::read(&bytes[kind_bytes..])?;
    Some((kind, length))
}

fn take(input: &mut Bytes, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= length as u64;
    input.split_to(length)
}

/// Whether these types are HTTP/2's, which no stream of HTTP/3 may carry (9114 7.2.8).
pub(super) fn is_of_http2(kind: u64) -> bool {
    matches!(kind, 0x2 | 0x6 | 0x8 | 0x9)
}

/// Appends what stands before a payload of this length.
pub(super) fn append_front(out: &mut Vec<u8>, kind: u64, length: u64) {
    varint::append(out, kind);
    varint::append(out, length);
}

/// Appends a whole frame.
pub(super) fn append(out: &mut Vec<u8>, kind: u64, payload: &[u8]) {
    append_front(out, kind, payload.len() as u64);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(kind: u64, length: u64) -> Result<Treatment, Fault> {
        match kind {
            kind::CONTENT => Ok(Treatment::Pass),
            kind::HEADERS if length <= 1024 => Ok(Treatment::Gather),
            kind::HEADERS => Err(Fault::new(Code::ExcessiveLoad, "long")),
            _ => Ok(Treatment::Skip),
        }
    }

    /// All that the bytes hold, cut into pieces of this length; passed bytes joined.
    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Payload>, Fault> {
        let (mut frames, mut all) = (Frames::new(4096), Vec::new());
        for piece in bytes.chunks(piece.max(1)) {
            frames.push(Bytes::copy_from_slice(piece));
            while let Some(payload) = frames.next(rule)? {
                match (all.last_mut(), payload) {
                    (Some(Payload::Piece(before)), Payload::Piece(bytes)) => {
                        *before = [&before[..], &bytes[..]].concat().into();
                    }
                    (_, payload) => all.push(payload),
                }
            }
        }
        frames.end().map(|()| all)
    }

    #[test]
    fn each_frame_is_gathered_passed_or_skipped() {
        let mut bytes = Vec::new();
        append(&mut bytes, 0x21, b"grease");
        append(&mut bytes, kind::HEADERS, b"fields");
        append(&mut bytes, kind::CONTENT, b"");
        append(&mut bytes, kind::CONTENT, b"ab");
        append(&mut bytes, 0x40, b"");
        append(&mut bytes, kind::HEADERS, b"");
        let expected = [
            Payload::Whole(kind::HEADERS, Bytes::from_static(b"fields")),
            Payload::Piece(Bytes::from_static(b"ab")),
            Payload::Whole(kind::HEADERS, Bytes::new()),
        ];
        for piece in [1, 2, 3, 100] {
            assert_eq!(read(&bytes, piece).unwrap(), expected);
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_a_frame_error() {
        let mut bytes = Vec::new();
        append(&mut bytes, kind::HEADERS, b"fields");
        for end in 1..bytes.len() {
            assert_eq!(read(&bytes[..end], 7).unwrap_err().code, Code::FrameError, "{end}");
        }
    }

    #[test]
    fn frames_that_mean_nothing_are_skipped_up_to_a_bound() {
        let mut bytes = Vec::new();
        append(&mut bytes, 0x21, &[0; 4096 - FRONT_BYTES_MAX]);
        assert_eq!(read(&bytes, 100).unwrap(), []);
        append(&mut bytes, 0x21, b"");
        assert_eq!(read(&bytes, 100).unwrap_err().code, Code::ExcessiveLoad);
        let empty = [0x21, 0].repeat(4096 / FRONT_BYTES_MAX + 1);
        assert_eq!(read(&empty, 100).unwrap_err().code, Code::ExcessiveLoad);
    }

    proptest! {
        #[test]
        fn no_cut_of_any_bytes_changes_what_they_mean(
            bytes in proptest::collection::vec(prop_oneof![0u8..5, any::<u8>()], 0..200),
            piece in 1usize..20,
        ) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, bytes.len()));
        }
    }
}
