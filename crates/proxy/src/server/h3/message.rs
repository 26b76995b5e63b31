//! A request on its stream: a head, a body in pieces, trailers, and nothing else (9114 4.1). Pure: it
//! is given bytes and says what they mean.

use bytes::Bytes;

use super::code::{Code, Fault};
use super::frame::{self, Frames, Payload, Treatment, kind};

/// Bytes in frames that mean nothing, on one stream.
const SKIP_BYTES_MAX: u64 = 16 * 1024;

/// What comes next of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The field section of its head.
    Head(Bytes),
    /// The next bytes of its body, never none.
    Body(Bytes),
    /// The field section of its trailers.
    Trailers(Bytes),
    /// A field section longer than any that is read; nothing of it was kept.
    TooLarge,
}

/// The parts of one request, from bytes as they come.
pub(super) struct Message {
    frames: Frames,
    reader: Reader,
}

struct Reader {
    place: Place,
    section_bytes_max: u64,
    trailer_bytes_max: u64,
    /// The frame that is read is a section beyond its bound.
    is_too_large: bool,
}

/// How far the message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before its head.
    Start,
    /// Behind its head: a body may come, or trailers.
    Body,
    /// Behind its trailers.
    End,
}

impl Message {
    /// One whose head has a section of no more than these bytes, and its trailers of those.
    pub(super) fn new(section_bytes_max: usize, trailer_bytes_max: usize) -> Self {
        let reader = Reader {
            place: Place::Start,
            section_bytes_max: section_bytes_max as u64,
            trailer_bytes_max: trailer_bytes_max as u64,
            is_too_large: false,
        };
        Message { frames: Frames::new(SKIP_BYTES_MAX), reader }
    }

    /// More bytes, after [`Message::next`] has found no more in those before.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.frames.push(bytes);
    }

    /// The next part, or `None` when more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Part>, Fault> {
        let Message { frames, reader } = self;
        let payload = frames.next(|kind, length| reader.judge(kind, length))?;
        if std::mem::take(&mut reader.is_too_large) {
            return Ok(Some(Part::TooLarge));
        }
        Ok(match payload {
            None => None,
            Some(Payload::Piece(bytes)) => Some(Part::Body(bytes)),
            // The place is the one behind it.
            Some(Payload::Whole(_, section)) => match reader.place {
                Place::Start | Place::Body => Some(Part::Head(section)),
                Place::End => Some(Part::Trailers(section)),
            },
        })
    }

    /// Whether the client may end its side here (9114 4.1, 7.1).
    pub(super) fn end(&self) -> Result<(), Fault> {
        self.frames.end()?;
        match self.reader.place {
            Place::Start => {
                Err(Fault::new(Code::RequestIncomplete, "the stream ends before a request's head"))
            }
            Place::Body | Place::End => Ok(()),
        }
    }
}

impl Reader {
    fn judge(&mut self, kind: u64, length: u64) -> Result<Treatment, Fault> {
        let unexpected = |text| Err(Fault::new(Code::FrameUnexpected, text));
        match (kind, self.place) {
            (kind::HEADERS, Place::Start) => {
                self.place = Place::Body;
                Ok(self.gathered(length, self.section_bytes_max))
            }
            (kind::HEADERS, Place::Body) => {
                self.place = Place::End;
                Ok(self.gathered(length, self.trailer_bytes_max))
            }
            (kind::CONTENT, Place::Body) => Ok(Treatment::Pass),
            (kind::CONTENT, Place::Start) => unexpected("DATA comes before HEADERS"),
            (kind::HEADERS | kind::CONTENT, Place::End) => {
                unexpected("a message goes on behind its trailers")
            }
            (
                kind::SETTINGS
                | kind::GOAWAY
                | kind::MAX_PUSH_ID
                | kind::CANCEL_PUSH
                | kind::PUSH_PROMISE,
                _,
            ) => unexpected("a request's stream has a frame of another stream's"),
            (other, _) if frame::is_of_http2(other) => unexpected("a frame is of HTTP/2"),
            (_, _) => Ok(Treatment::Skip),
        }
    }

    /// What is too large is not read any further, so that it is skipped in name only.
    fn gathered(&mut self, length: u64, bytes_max: u64) -> Treatment {
        self.is_too_large = length > bytes_max;
        if self.is_too_large { Treatment::Pass } else { Treatment::Gather }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames by a letter each: `h`eaders, `d`ata, `x` unknown, `s`ettings, `p`ush promise, HTTP/2's `2`.
    fn bytes(frames: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for letter in frames.chars() {
            match letter {
                'h' => frame::append(&mut out, kind::HEADERS, b"hh"),
                'H' => frame::append(&mut out, kind::HEADERS, &[b'h'; 20]),
                'd' => frame::append(&mut out, kind::CONTENT, b"dd"),
                'x' => frame::append(&mut out, 0x21, b"xx"),
                's' => frame::append(&mut out, kind::SETTINGS, b""),
                'g' => frame::append(&mut out, kind::GOAWAY, &[0]),
                'm' => frame::append(&mut out, kind::MAX_PUSH_ID, &[0]),
                'c' => frame::append(&mut out, kind::CANCEL_PUSH, &[0]),
                'p' => frame::append(&mut out, kind::PUSH_PROMISE, &[0]),
                '2' => frame::append(&mut out, 0x9, &[0]),
                other => panic!("no frame `{other}`"),
            }
        }
        out
    }

    /// The parts by a letter each, up to the end.
    fn parts(bytes: &[u8], piece: usize) -> Result<String, Code> {
        let (mut message, mut all) = (Message::new(19, 10), String::new());
        for piece in bytes.chunks(piece.max(1)) {
            message.push(Bytes::copy_from_slice(piece));
            while let Some(part) = message.next().map_err(|fault| fault.code)? {
                match part {
                    Part::Head(_) => all.push('h'),
                    Part::Body(_) if all.ends_with('d') => {}
                    Part::Body(_) => all.push('d'),
                    Part::Trailers(_) => all.push('t'),
                    Part::TooLarge => return Ok(all + "!"),
                }
            }
        }
        message.end().map_err(|fault| fault.code)?;
        Ok(all)
    }

    #[test]
    fn a_message_is_a_head_a_body_and_trailers_in_this_order() {
        for (frames, expected) in [
            ("h", Ok("h")),
            ("hd", Ok("hd")),
            ("xhxdxdxhx", Ok("hdt")),
            ("hh", Ok("ht")),
            ("H", Ok("!")),
            ("hdH", Ok("hd!")),
            ("", Err(Code::RequestIncomplete)),
            ("x", Err(Code::RequestIncomplete)),
            ("d", Err(Code::FrameUnexpected)),
            ("xd", Err(Code::FrameUnexpected)),
            ("hdhd", Err(Code::FrameUnexpected)),
            ("hdhh", Err(Code::FrameUnexpected)),
            ("s", Err(Code::FrameUnexpected)),
            ("hs", Err(Code::FrameUnexpected)),
            ("hg", Err(Code::FrameUnexpected)),
            ("hm", Err(Code::FrameUnexpected)),
            ("hc", Err(Code::FrameUnexpected)),
            ("hp", Err(Code::FrameUnexpected)),
            ("h2", Err(Code::FrameUnexpected)),
        ] {
            for piece in [1, 3, 100] {
                let expected = expected.map(str::to_owned);
                assert_eq!(parts(&bytes(frames), piece), expected, "{frames}");
            }
        }
    }

    #[test]
    fn a_message_that_ends_within_a_frame_is_a_frame_error() {
        let whole = bytes("hd");
        for end in [1, 3, 5, 7] {
            assert_eq!(parts(&whole[..end], 2), Err(Code::FrameError), "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..99)) {
            prop_assert_eq!(parts(&bytes, 2), parts(&bytes, 99));
        }
    }
}
