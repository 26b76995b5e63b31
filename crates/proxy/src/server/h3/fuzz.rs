//! The pure parts as one function of bytes, for those who look for bytes that break them.

use std::time::Duration;

use bytes::Bytes;

use super::code::Code;
use super::control::{self, Control, Decoder, Purpose};
use super::head;
use super::message::{Message, Part};
use super::qpack::Bounds;
use crate::config::Limits;

/// Reads a request's stream in pieces of this size; what was heard, and how it ended.
pub fn request(bytes: &[u8], piece: usize, limits: &Limits) -> (Vec<String>, Result<(), Code>) {
    let (mut heard, mut body) = (Vec::new(), Vec::new());
    let mut message = Message::new(limits.head_bytes_max, limits.head_bytes_max);
    for piece in bytes.chunks(piece.max(1)) {
        message.push(Bytes::copy_from_slice(piece));
        loop {
            match message.next() {
                Ok(None) => break,
                Ok(Some(Part::Head(section))) => {
                    heard.push(format!("{:?}", head::read(section, limits)));
                }
                Ok(Some(Part::Body(bytes))) => body.extend_from_slice(&bytes),
                Ok(Some(Part::Trailers(section))) => {
                    let bounds =
                        Bounds { bytes_max: limits.head_bytes_max, fields_max: limits.fields_max };
                    heard.push(format!("{:?}", head::read_trailers(section, bounds)));
                }
                Ok(Some(Part::TooLarge)) => return (heard, Err(Code::ExcessiveLoad)),
                Err(fault) => return (heard, Err(fault.code)),
            }
        }
    }
    heard.push(format!("{body:?}"));
    (heard, message.end().map_err(|fault| fault.code))
}

/// Reads any other stream in pieces of this size; how it ended.
pub fn beside(bytes: &[u8], piece: usize) -> Result<(), Code> {
    let Some((purpose, front)) = Purpose::read(bytes) else { return Ok(()) };
    let (mut control, mut decoder) = (Control::default(), Decoder::default());
    let heard = bytes[front..].chunks(piece.max(1)).try_for_each(|piece| match purpose {
        Purpose::Control => control.take(Bytes::copy_from_slice(piece), Duration::ZERO),
        Purpose::Encoder => control::encoder(piece),
        Purpose::Decoder => decoder.take(piece),
        Purpose::Push | Purpose::Unknown => Ok(()),
    });
    heard.map_err(|fault| fault.code)
}
