//! The table as bytes. Pure.
//!
//! A first line that says what it is, a version, the prefix of its keys, a count, the records, and a
//! checksum of it all. A record is what lies under one name: nothing, a string or a list. What is
//! damaged, of another version or of other keys does not read, as a whole.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::route::{Stored, name};

/// Bytes of a table; what does not fit is left out.
pub(super) const TABLE_BYTES_MAX: usize = 256 << 20;

const MAGIC: &[u8; 16] = b"forebay routes \n";

/// Raised with every change of what follows.
const VERSION: u32 = 1;

const CHECKSUM_BYTES: usize = 32;

const ABSENT: u8 = 0;
const TEXT: u8 = 1;
const LIST: u8 = 2;

/// A name and what lies under it.
pub type Kept = (Box<str>, Option<Stored>);

/// Why a table does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is something else.
    Foreign,
    /// It is of another version of this program.
    Version,
    /// Its keys have another prefix.
    Prefix,
    /// Its checksum differs: it is not what was written.
    Checksum,
    /// It is not what this program writes, though its checksum holds.
    Shape,
}

/// The table of these keys, and how many were left out because it would be too long.
pub fn encode(prefix: &str, kept: impl Iterator<Item = Kept>) -> (Vec<u8>, usize) {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    write(&mut bytes, prefix.as_bytes());
    let count_at = bytes.len();
    bytes.extend([0; 4]);
    let (mut count, mut left_out) = (0_u32, 0);
    for (name, stored) in kept {
        let begin = bytes.len();
        write(&mut bytes, name.as_bytes());
        write_stored(&mut bytes, stored.as_ref());
        if bytes.len() + CHECKSUM_BYTES > TABLE_BYTES_MAX {
            bytes.truncate(begin);
            left_out += 1;
        } else {
            count += 1;
        }
    }
    bytes[count_at..count_at + 4].copy_from_slice(&count.to_le_bytes());
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    (bytes, left_out)
}

fn write_stored(bytes: &mut Vec<u8>, stored: Option<&Stored>) {
    match stored {
        None | Some(Stored::Other) => bytes.push(ABSENT),
        Some(Stored::Text(text)) => {
            bytes.push(TEXT);
            write(bytes, text);
        }
        Some(Stored::List(list)) => {
            bytes.push(LIST);
            bytes.extend(length(list.len()));
            list.iter().for_each(|one| write(bytes, one));
        }
    }
}

fn write(bytes: &mut Vec<u8>, piece: &[u8]) {
    bytes.extend(length(piece.len()));
    bytes.extend(piece);
}

/// Values are bounded far below.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// What a table of keys with this prefix holds.
pub fn decode(prefix: &str, bytes: &[u8]) -> Result<Vec<Kept>, Damage> {
    if !bytes.starts_with(MAGIC) {
        return Err(Damage::Foreign);
    }
    let split = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(Damage::Checksum)?;
    let (written, checksum) = bytes.split_at(split);
    if Sha256::digest(written).as_slice() != checksum {
        return Err(Damage::Checksum);
    }
    let mut rest = Rest(written.get(MAGIC.len()..).ok_or(Damage::Shape)?);
    if rest.number().ok_or(Damage::Shape)? != VERSION {
        return Err(Damage::Version);
    }
    if rest.piece().ok_or(Damage::Shape)? != prefix.as_bytes() {
        return Err(Damage::Prefix);
    }
    let kept = records(&mut rest).ok_or(Damage::Shape)?;
    if rest.0.is_empty() { Ok(kept) } else { Err(Damage::Shape) }
}

fn records(rest: &mut Rest<'_>) -> Option<Vec<Kept>> {
    let count = rest.number()?;
    // What is announced is not made room for before it is there.
    let mut kept = Vec::new();
    for _ in 0..count {
        let name = std::str::from_utf8(rest.piece()?).ok()?;
        let name = name::of_key("", &name::key("", name)).filter(|it| **it == *name)?;
        kept.push((name, rest.stored()?));
    }
    Some(kept)
}

/// What was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn piece(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (piece, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(piece)
    }

    #[expect(clippy::option_option, reason = "the outer one is whether it reads at all")]
    fn stored(&mut self) -> Option<Option<Stored>> {
        let (kind, rest) = self.0.split_first()?;
        self.0 = rest;
        match *kind {
            ABSENT => Some(None),
            TEXT => Some(Some(Stored::Text(self.piece()?.to_vec()))),
            LIST => {
                let count = self.number()?;
                let pieces = (0..count).map(|_| self.piece().map(<[u8]>::to_vec));
                Some(Some(Stored::List(pieces.collect::<Option<_>>()?)))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Foreign => "it is no table of routes",
            Damage::Version => "it is of another version",
            Damage::Prefix => "its keys have another prefix",
            Damage::Checksum => "its checksum differs",
            Damage::Shape => "it is not well formed",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored() -> impl Strategy<Value = Option<Stored>> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..20);
        prop_oneof![
            Just(None),
            bytes().prop_map(|text| Some(Stored::Text(text))),
            prop::collection::vec(bytes(), 0..4).prop_map(|list| Some(Stored::List(list))),
        ]
    }

    fn kept() -> impl Strategy<Value = Vec<Kept>> {
        let name = "\\.|\\.?[a-z]{1,5}(\\.[a-z]{1,3}){0,2}".prop_map(Box::from);
        prop::collection::vec((name, stored()), 0..8)
    }

    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.extend(Sha256::digest(&bytes));
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(kept in kept()) {
            let (bytes, left_out) = encode("r:", kept.clone().into_iter());
            prop_assert_eq!(left_out, 0);
            prop_assert_eq!(decode("r:", &bytes), Ok(kept));
            prop_assert_eq!(decode("", &bytes), Err(Damage::Prefix));
        }

        #[test]
        fn one_byte_that_differs_is_found(kept in kept(), at in any::<prop::sample::Index>(), bit in 0..8) {
            let (mut bytes, _) = encode("r:", kept.into_iter());
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(decode("r:", &bytes).is_err());
            prop_assert!(decode("r:", &bytes[..at]).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode("", &bytes);
            let begin = [&MAGIC[..], &VERSION.to_le_bytes(), &[0; 4]].concat();
            let _ = decode("", &sealed([begin, bytes].concat()));
        }
    }

    #[test]
    fn another_version_and_a_name_that_is_none_do_not_read() {
        let begin = |version: u32| [&MAGIC[..], &version.to_le_bytes(), &[0; 4]].concat();
        let of = |name: &str| {
            let mut bytes = [begin(VERSION), 1_u32.to_le_bytes().to_vec()].concat();
            write(&mut bytes, name.as_bytes());
            bytes.push(ABSENT);
            decode("", &sealed(bytes))
        };
        assert_eq!(of("a.com"), Ok(vec![("a.com".into(), None)]));
        for wrong in ["A.com", "a.com.", "", "*.a", "a/b"] {
            assert_eq!(of(wrong), Err(Damage::Shape), "{wrong}");
        }
        assert_eq!(decode("", &sealed([begin(2), vec![0; 4]].concat())), Err(Damage::Version));
        assert_eq!(decode("", b"something else"), Err(Damage::Foreign));
    }
}
