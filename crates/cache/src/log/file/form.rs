//! What lies in a file of purges: a header that names the log and where the file begins in it, and
//! from there entry after entry, each following the one before it.

use std::fmt;

use crate::codec::{Damage, checksum};
use crate::purge::{LogEntry, Position};

/// The bytes before the first entry.
pub const HEADER_BYTES: usize = 64;

const MAGIC: [u8; 8] = *b"FBAYPURG";
/// Raised with every change of the header.
const VERSION: u64 = 1;
const SIGNED_BYTES: usize = HEADER_BYTES - 8;

/// What was read of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The place in the log before the first entry.
    pub base: Position,
    /// All entries.
    pub entries: Vec<LogEntry>,
    /// The bytes up to the end of the last.
    pub len: usize,
}

/// Why a file does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Its header was never written: whoever wrote it did not finish.
    Unfinished,
    /// The header is something else, or not what was written.
    Header(Damage),
    /// What stands at this place is not what was written, or does not follow what stands before it.
    Entry(usize),
}

/// The header of a file that begins there.
pub fn header(base: Position) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    let numbers = [VERSION, base.lineage, base.number, base.token];
    for (number, place) in numbers.iter().zip(bytes[8..].as_chunks_mut::<8>().0) {
        *place = number.to_le_bytes();
    }
    let sum = checksum(&bytes[..SIGNED_BYTES]);
    bytes[SIGNED_BYTES..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads a whole file. An entry that ends behind the file's end was torn when it was written, and
/// nobody was told that it stands; it is left out, unless something sound stands behind it.
pub fn read(bytes: &[u8]) -> Result<Contents, Unread> {
    let base = read_header(bytes)?;
    let (mut last, mut at, mut entries) = (base, HEADER_BYTES, Vec::new());
    while at < bytes.len() {
        match LogEntry::read_first(&bytes[at..]) {
            Ok((entry, len)) if follows(&entry, last) => {
                last = last.at(&entry);
                entries.push(entry);
                at += len;
            }
            Err(Damage::Length) if !holds_any_behind(bytes, at, last) => break,
            Ok(_) | Err(_) => return Err(Unread::Entry(at)),
        }
    }
    Ok(Contents { base, entries, len: at })
}

/// Whether an entry is the next after a place.
pub fn follows(entry: &LogEntry, last: Position) -> bool {
    entry.number == last.number + 1 && entry.previous == last.token
}

fn read_header(bytes: &[u8]) -> Result<Position, Unread> {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        let is_empty = bytes.iter().all(|byte| *byte == 0);
        return Err(if is_empty { Unread::Unfinished } else { Unread::Header(Damage::Length) });
    };
    if header.iter().all(|byte| *byte == 0) {
        return Err(Unread::Unfinished);
    }
    if header[..8] != MAGIC {
        return Err(Unread::Header(Damage::Foreign));
    }
    if checksum(&header[..SIGNED_BYTES]).to_le_bytes() != header[SIGNED_BYTES..] {
        return Err(Unread::Header(Damage::Checksum));
    }
    let mut numbers = [0; 4];
    for (number, eight) in numbers.iter_mut().zip(header[8..].as_chunks::<8>().0) {
        *number = u64::from_le_bytes(*eight);
    }
    let [version, lineage, number, token] = numbers;
    if version != VERSION {
        return Err(Unread::Header(Damage::OtherVersion));
    }
    if number >= crate::purge::Epoch::NUMBER_MAX || header[40..SIGNED_BYTES] != [0; 16] {
        return Err(Unread::Header(Damage::Foreign));
    }
    Ok(Position { lineage, number, token })
}

// A damaged length looks like a torn end, too; what is behind it gives it away.
fn holds_any_behind(bytes: &[u8], at: usize, last: Position) -> bool {
    (at + 1..bytes.len()).any(|at| {
        LogEntry::read_first(&bytes[at..]).is_ok_and(|(entry, _)| entry.number > last.number)
    })
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::Unfinished => f.write_str("it was not finished"),
            Unread::Header(damage) => write!(f, "its header does not read: {damage}"),
            Unread::Entry(at) => write!(f, "what stands at byte {at} is no purge that follows"),
        }
    }
}
