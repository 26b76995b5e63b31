//! What a client says beside its requests: on its control stream, and on QPACK's two (9114 6.2, 7.2;
//! 9204 4.2). Pure: it is given bytes and the time.
//!
//! We never push, so that nothing which a client says of pushes has an effect; and there is no dynamic
//! table, so that nothing can be said of one.

use std::time::Duration;

use bytes::Bytes;

use super::code::{Code, Fault};
use super::frame::{self, Frames, Payload, Treatment, kind};
use super::qpack;
use super::varint;
use crate::route::rate::Rate;

/// Frames a second on the control stream.
const FRAMES_PER_SECOND: usize = 1000;
/// Bytes of a frame that is read whole; a real one of settings has less than a hundred.
const FRAME_BYTES_MAX: u64 = 4 * 1024;
/// Settings in it.
const SETTINGS_MAX: usize = 64;

/// What a unidirectional stream is for (9114 6.2, 9204 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Settings, and what else is said of the connection.
    Control,
    /// Pushes, which a client cannot send.
    Push,
    /// What our decoder is told.
    Encoder,
    /// What our encoder is told.
    Decoder,
    /// We do not know it.
    Unknown,
}

impl Purpose {
    /// The one that a stream begins with, and the bytes that say so; `None` while some are missing.
    pub(super) fn read(bytes: &[u8]) -> Option<(Purpose, usize)> {
        let (number, length) = varint::read(bytes)?;
        let purpose = match number {
            0 => Purpose::Control,
            1 => Purpose::Push,
            2 => Purpose::Encoder,
            3 => Purpose::Decoder,
            _ => Purpose::Unknown,
        };
        Some((purpose, length))
    }
}

/// The client's control stream.
pub(super) struct Control {
    frames: Frames,
    rate: Rate,
    heard: Heard,
    /// The last push that the client said it has taken, and the first that it would not take.
    goaway: u64,
    push_max: Option<u64>,
}

/// What a control stream has begun with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Nothing yet.
    Nothing,
    /// Settings, as it must.
    Settings,
}

impl Default for Control {
    fn default() -> Self {
        Control {
            // Nothing is kept of what is skipped, and `rate` bounds how often it is.
            frames: Frames::new(u64::MAX),
            rate: Rate::new(FRAMES_PER_SECOND),
            heard: Heard::Nothing,
            goaway: varint::MAX,
            push_max: None,
        }
    }
}

impl Control {
    /// Takes some bytes at this time since the connection began.
    pub(super) fn take(&mut self, bytes: Bytes, now: Duration) -> Result<(), Fault> {
        self.frames.push(bytes);
        loop {
            let Control { frames, rate, heard, .. } = self;
            let next = frames.next(|kind, length| {
                let treatment = judge(kind, length, *heard)?;
                *heard = Heard::Settings;
                let text = "there are too many frames on the control stream";
                let is_in_time = rate.take(now);
                is_in_time.then_some(treatment).ok_or(Fault::new(Code::ExcessiveLoad, text))
            });
            match next? {
                None => return Ok(()),
                Some(Payload::Whole(kind, payload)) => self.hear(kind, &payload)?,
                Some(Payload::Piece(_)) => {}
            }
        }
    }

    fn hear(&mut self, kind: u64, payload: &[u8]) -> Result<(), Fault> {
        match kind {
            kind::SETTINGS => settings(payload),
            kind::GOAWAY => {
                let id = only_integer(payload)?;
                if id > self.goaway {
                    return Err(Fault::new(Code::IdError, "the id of a GOAWAY has grown"));
                }
                self.goaway = id;
                Ok(())
            }
            kind::MAX_PUSH_ID => {
                let id = only_integer(payload)?;
                if self.push_max.is_some_and(|before| id < before) {
                    return Err(Fault::new(Code::IdError, "a MAX_PUSH_ID is less than before"));
                }
                self.push_max = Some(id);
                Ok(())
            }
            // CANCEL_PUSH: of a push that was never promised.
            _ => {
                only_integer(payload)?;
                Err(Fault::new(Code::IdError, "a push is cancelled that was never promised"))
            }
        }
    }
}

fn judge(kind: u64, length: u64, heard: Heard) -> Result<Treatment, Fault> {
    let unexpected = |text| Err(Fault::new(Code::FrameUnexpected, text));
    match (kind, heard) {
        (kind::SETTINGS, Heard::Settings) => {
            return unexpected("settings are sent a second time");
        }
        (kind::SETTINGS, Heard::Nothing) | (_, Heard::Settings) => {}
        (_, Heard::Nothing) => {
            let text = "the control stream does not begin with settings";
            return Err(Fault::new(Code::MissingSettings, text));
        }
    }
    match kind {
        kind::SETTINGS | kind::GOAWAY | kind::MAX_PUSH_ID | kind::CANCEL_PUSH => {
            if length > FRAME_BYTES_MAX {
                let text = "a frame on the control stream is too long";
                return Err(Fault::new(Code::ExcessiveLoad, text));
            }
            Ok(Treatment::Gather)
        }
        kind::CONTENT | kind::HEADERS | kind::PUSH_PROMISE => {
            unexpected("the control stream has a frame of a request's")
        }
        other if frame::is_of_http2(other) => unexpected("a frame is of HTTP/2"),
        _ => Ok(Treatment::Skip),
    }
}

/// Settings in pairs, each once (9114 7.2.4). None of them changes what we do: answers are written
/// without a dynamic table whatever the client would take, and their heads are the origin's.
fn settings(mut payload: &[u8]) -> Result<(), Fault> {
    let mut known = Vec::new();
    while !payload.is_empty() {
        let id = take_integer(&mut payload)?;
        take_integer(&mut payload)?;
        if matches!(id, 0x0 | 0x2..=0x5) {
            return Err(Fault::new(Code::SettingsError, "a setting is of HTTP/2"));
        }
        if known.contains(&id) {
            return Err(Fault::new(Code::SettingsError, "a setting is sent twice"));
        }
        if known.len() == SETTINGS_MAX {
            return Err(Fault::new(Code::ExcessiveLoad, "there are too many settings"));
        }
        known.push(id);
    }
    Ok(())
}

fn only_integer(mut payload: &[u8]) -> Result<u64, Fault> {
    let value = take_integer(&mut payload)?;
    match payload.is_empty() {
        true => Ok(value),
        false => Err(Fault::new(Code::FrameError, "a frame is longer than what it says")),
    }
}

fn take_integer(payload: &mut &[u8]) -> Result<u64, Fault> {
    let text = "a frame is shorter than what it says";
    let (value, length) = varint::read(payload).ok_or(Fault::new(Code::FrameError, text))?;
    *payload = &payload[length..];
    Ok(value)
}

/// The client's encoder stream: with a table of no bytes it has nothing to say (9204 3.2.3).
pub(super) fn encoder(bytes: &[u8]) -> Result<(), Fault> {
    match bytes.is_empty() {
        true => Ok(()),
        false => {
            let text = "the encoder stream speaks of a dynamic table, and there is none";
            Err(Fault::new(Code::QpackEncoderStreamError, text))
        }
    }
}

/// The client's decoder stream. We never refer to a dynamic table, so that nothing can be acknowledged;
/// a client may say all the same that it has given up a stream (9204 4.4).
#[derive(Default)]
pub(super) struct Decoder {
    /// The bytes of an instruction that has not come to its end.
    begun: Vec<u8>,
}

impl Decoder {
    /// Takes some bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let wrong = |text| Err(Fault::new(Code::QpackDecoderStreamError, text));
        for byte in bytes {
            self.begun.push(*byte);
            match self.begun[0] {
                0x80.. => return wrong("a section is acknowledged that needs no acknowledgement"),
                0x00..=0x3f => return wrong("an insert is acknowledged that was never made"),
                0x40..=0x7f => match qpack::read_integer(&self.begun, 6) {
                    Ok(Some(_)) => self.begun.clear(),
                    Ok(None) => {}
                    Err(_) => return wrong("the number of a stream is too large"),
                },
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(of: &[(u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        of.iter().for_each(|(kind, payload)| frame::append(&mut out, *kind, payload));
        out
    }

    fn heard(bytes: &[u8], piece: usize) -> Result<(), Code> {
        let mut control = Control::default();
        bytes.chunks(piece.max(1)).try_for_each(|bytes| {
            let taken = control.take(Bytes::copy_from_slice(bytes), Duration::ZERO);
            taken.map_err(|fault| fault.code)
        })
    }

    const SETTINGS: (u64, &[u8]) = (kind::SETTINGS, &[0x1, 0x40, 0x64, 0x6, 0x0, 0x21, 0x9]);

    #[test]
    fn a_control_stream_is_settings_and_then_what_makes_sense() {
        for (said, expected) in [
            (&[SETTINGS][..], Ok(())),
            (&[(kind::SETTINGS, b"")], Ok(())),
            (&[SETTINGS, (0x21, b"grease"), (0xf0700, b"\0u=1")], Ok(())),
            (&[SETTINGS, (kind::GOAWAY, &[4]), (kind::GOAWAY, &[4])], Ok(())),
            (&[SETTINGS, (kind::MAX_PUSH_ID, &[4]), (kind::MAX_PUSH_ID, &[5])], Ok(())),
            (&[SETTINGS, SETTINGS], Err(Code::FrameUnexpected)),
            (&[(0x21, b"grease"), SETTINGS], Err(Code::MissingSettings)),
            (&[(kind::GOAWAY, &[0])], Err(Code::MissingSettings)),
            (&[SETTINGS, (kind::CONTENT, b"")], Err(Code::FrameUnexpected)),
            (&[SETTINGS, (kind::HEADERS, b"")], Err(Code::FrameUnexpected)),
            (&[SETTINGS, (kind::PUSH_PROMISE, b"")], Err(Code::FrameUnexpected)),
            (&[SETTINGS, (0x6, b"ping")], Err(Code::FrameUnexpected)),
            (&[SETTINGS, (kind::GOAWAY, &[4]), (kind::GOAWAY, &[8])], Err(Code::IdError)),
            (&[SETTINGS, (kind::MAX_PUSH_ID, &[4]), (kind::MAX_PUSH_ID, &[3])], Err(Code::IdError)),
            (&[SETTINGS, (kind::CANCEL_PUSH, &[0])], Err(Code::IdError)),
            (&[SETTINGS, (kind::CANCEL_PUSH, &[])], Err(Code::FrameError)),
            (&[SETTINGS, (kind::GOAWAY, &[])], Err(Code::FrameError)),
            (&[SETTINGS, (kind::GOAWAY, &[0, 0])], Err(Code::FrameError)),
            (&[SETTINGS, (kind::MAX_PUSH_ID, &[0x40])], Err(Code::FrameError)),
            (&[(kind::SETTINGS, &[0x6])], Err(Code::FrameError)),
            (&[(kind::SETTINGS, &[0x6, 0x40])], Err(Code::FrameError)),
            (&[(kind::SETTINGS, &[0x6, 0, 0x6, 0])], Err(Code::SettingsError)),
            (&[(kind::SETTINGS, &[0x0, 0])], Err(Code::SettingsError)),
            (&[(kind::SETTINGS, &[0x2, 0])], Err(Code::SettingsError)),
            (&[(kind::SETTINGS, &[0x5, 0])], Err(Code::SettingsError)),
            (&[(kind::SETTINGS, &[0; 4097])], Err(Code::ExcessiveLoad)),
        ] {
            for piece in [1, 5, 10_000] {
                assert_eq!(heard(&frames(said), piece), expected, "{said:?}");
            }
        }
    }

    #[test]
    fn settings_are_bounded_in_number() {
        let of = |count: u8| (0..count).flat_map(|id| [0x40, 0x40 + id, 0]).collect::<Vec<u8>>();
        assert_eq!(heard(&frames(&[(kind::SETTINGS, &of(64))]), 99), Ok(()));
        let too_many = frames(&[(kind::SETTINGS, &of(65))]);
        assert_eq!(heard(&too_many, 99), Err(Code::ExcessiveLoad));
    }

    #[test]
    fn frames_are_bounded_by_the_second() {
        let mut control = Control::default();
        let mut take = |bytes: Vec<u8>, seconds| {
            control.take(bytes.into(), Duration::from_secs(seconds)).map_err(|fault| fault.code)
        };
        assert_eq!(take(frames(&[SETTINGS]), 0), Ok(()));
        assert_eq!(take([0x21, 0].repeat(FRAMES_PER_SECOND - 1), 0), Ok(()));
        assert_eq!(take([0x21, 0].repeat(FRAMES_PER_SECOND), 1), Ok(()));
        assert_eq!(take(vec![0x21, 0], 1), Err(Code::ExcessiveLoad));
    }

    #[test]
    fn a_stream_says_what_it_is_for() {
        for (bytes, expected) in [
            (&[0][..], Some((Purpose::Control, 1))),
            (&[1, 9], Some((Purpose::Push, 1))),
            (&[2], Some((Purpose::Encoder, 1))),
            (&[0x40, 3], Some((Purpose::Decoder, 2))),
            (&[0x21], Some((Purpose::Unknown, 1))),
            (&[0xc0, 0], None),
            (&[], None),
        ] {
            assert_eq!(Purpose::read(bytes), expected);
        }
    }

    #[test]
    fn of_a_table_that_is_not_there_nothing_is_said() {
        assert_eq!(encoder(b""), Ok(()));
        assert_eq!(encoder(&[0x20]).unwrap_err().code, Code::QpackEncoderStreamError);
        let decoder = |bytes: &[u8]| {
            let mut decoder = Decoder::default();
            bytes.iter().try_for_each(|byte| decoder.take(&[*byte])).map_err(|fault| fault.code)
        };
        // Streams 4 and 1000 are given up.
        assert_eq!(decoder(&[0x44, 0x7f, 0xa9, 0x07, 0x44]), Ok(()));
        for bytes in
            [&[0x81][..], &[0x01], &[0x44, 0x00], &[[0x7f].as_slice(), &[0xff; 9]].concat()]
        {
            assert_eq!(decoder(bytes), Err(Code::QpackDecoderStreamError), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..99)) {
            let bytes = [&frames(&[SETTINGS])[..], &bytes].concat();
            prop_assert_eq!(heard(&bytes, 2), heard(&bytes, 999));
            let _ = Decoder::default().take(&bytes);
            let _ = Purpose::read(&bytes);
        }
    }
}
