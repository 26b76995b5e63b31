//! Field sections, with the static table alone (9204). We announce a dynamic table of no bytes, so
//! whatever refers to one is an error, and no section ever waits for another.

mod huffman;
mod integer;
mod table;

use bytes::{Buf, Bytes};

use self::integer::Integer;
use super::code::{Code, Fault};

pub(super) use self::integer::read as read_integer;

/// What each field counts beside its name and value (9114 4.2.2).
const FIELD_BYTES: usize = 32;

/// A field as the client wrote it: nothing in it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// How much may be in a section.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of names and values, with 32 more for each field.
    pub bytes_max: usize,
    /// Fields, pseudo-header fields included.
    pub fields_max: usize,
}

/// Why a section is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is no section.
    Fault(Fault),
    /// It is larger than its bounds.
    TooLarge,
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Unread::Fault(fault)
    }
}

/// Reads a whole section.
pub fn decode(mut section: Bytes, bounds: Bounds) -> Result<Vec<Field>, Unread> {
    check_prefix(&mut section)?;
    let (mut fields, mut bytes_left) = (Vec::new(), bounds.bytes_max);
    while section.has_remaining() {
        if fields.len() == bounds.fields_max {
            return Err(Unread::TooLarge);
        }
        bytes_left = bytes_left.checked_sub(FIELD_BYTES).ok_or(Unread::TooLarge)?;
        fields.push(field(&mut section, &mut bytes_left)?);
    }
    Ok(fields)
}

/// Nothing may be referred to that was inserted, and so a base below zero cannot be (9204 4.5.1).
fn check_prefix(section: &mut Bytes) -> Result<(), Fault> {
    let inserted = take_integer(section, 8)?;
    if inserted.value != 0 {
        return Err(failed("a field section needs a dynamic table, and there is none"));
    }
    let base = take_integer(section, 7)?;
    if base.flags & 0x80 != 0 {
        return Err(failed("the base of a field section is below zero"));
    }
    Ok(())
}

/// One line (9204 4.5.2 to 4.5.6).
fn field(section: &mut Bytes, bytes_left: &mut usize) -> Result<Field, Unread> {
    let first = section.first().copied().unwrap_or_default();
    match first {
        0xc0.. => {
            let index = take_integer(section, 6)?.value;
            let (name, value) = entry(index)?;
            take_budget(bytes_left, name.len() + value.len())?;
            Ok(Field { name: Bytes::from_static(name), value: Bytes::from_static(value) })
        }
        0x50..=0x5f | 0x70..=0x7f => {
            let index = take_integer(section, 4)?.value;
            let (name, _) = entry(index)?;
            take_budget(bytes_left, name.len())?;
            let value = text(section, 7, bytes_left)?;
            Ok(Field { name: Bytes::from_static(name), value })
        }
        0x20..=0x3f => {
            let name = text(section, 3, bytes_left)?;
            let value = text(section, 7, bytes_left)?;
            Ok(Field { name, value })
        }
        0x00..=0x1f | 0x40..=0x4f | 0x60..=0x6f | 0x80..=0xbf => {
            Err(failed("a field refers to a dynamic table, and there is none").into())
        }
    }
}

fn entry(index: u64) -> Result<(&'static [u8], &'static [u8]), Fault> {
    let entry = usize::try_from(index).ok().and_then(|index| table::ENTRIES.get(index));
    let (name, value) = entry.ok_or(failed("a field refers beyond the static table"))?;
    Ok((name.as_bytes(), value.as_bytes()))
}

/// A string whose length has so many bits in its first byte, below the one that says whether it is in
/// Huffman's code (9204 4.1.2).
fn text(section: &mut Bytes, bits: u32, bytes_left: &mut usize) -> Result<Bytes, Unread> {
    let length = take_integer(section, bits)?;
    let is_coded = length.flags & (1 << bits) != 0;
    let bytes = usize::try_from(length.value).ok().filter(|length| *length <= section.len());
    let bytes = bytes.ok_or(failed("a field section ends within a field"))?;
    let raw = section.split_to(bytes);
    if !is_coded {
        take_budget(bytes_left, raw.len())?;
        return Ok(raw);
    }
    let decoded = huffman::decode(&raw, *bytes_left).map_err(|wrong| match wrong {
        huffman::Wrong::TooLong => Unread::TooLarge,
        huffman::Wrong::Padding => failed("a string in Huffman's code does not end well").into(),
    })?;
    take_budget(bytes_left, decoded.len())?;
    Ok(decoded.into())
}

fn take_budget(bytes_left: &mut usize, bytes: usize) -> Result<(), Unread> {
    *bytes_left = bytes_left.checked_sub(bytes).ok_or(Unread::TooLarge)?;
    Ok(())
}

fn take_integer(section: &mut Bytes, bits: u32) -> Result<Integer, Fault> {
    let integer = match integer::read(section, bits) {
        Ok(Some(integer)) => integer,
        Ok(None) => return Err(failed("a field section ends within an integer")),
        Err(integer::TooLarge) => return Err(failed("an integer is too large")),
    };
    section.advance(integer.bytes);
    Ok(integer)
}

fn failed(text: &'static str) -> Fault {
    Fault::new(Code::QpackDecompressionFailed, text)
}

/// A section under way to the client: names of the static table are referred to, all else is written
/// out, values in Huffman's code where that is shorter.
pub(super) struct Section(Vec<u8>);

impl Section {
    /// One without a field.
    pub(super) fn new() -> Self {
        // No insert is needed, and the base is zero.
        Section(vec![0, 0])
    }

    /// Appends a field.
    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        let out = &mut self.0;
        match table::find(name, value) {
            table::Found::Whole(index) => integer::append(out, 0xc0, 6, index as u64),
            table::Found::Name(index) => {
                integer::append(out, 0x50, 4, index as u64);
                append_text(out, 0, 7, value);
            }
            table::Found::Nothing => {
                append_text(out, 0x20, 3, name.as_bytes());
                append_text(out, 0, 7, value);
            }
        }
    }

    /// Its bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn append_text(out: &mut Vec<u8>, flags: u8, bits: u32, text: &[u8]) {
    let coded = huffman::encoded_bytes(text);
    if coded < text.len() {
        integer::append(out, flags | 1 << bits, bits, coded as u64);
        huffman::encode(text, out);
    } else {
        integer::append(out, flags, bits, text.len() as u64);
        out.extend_from_slice(text);
    }
}

#[cfg(test)]
mod tests;
