//! Stored entries: front, key, head, trailer and body, as a disk or Redis gives them back.
//!
//! An input is a record. It is read as it is, and once more with lengths and checksums made right,
//! as somebody would who writes on purpose.

use bytes::Bytes;
use forebay_cache::codec::{
    Damage, FRONT_BYTES, Layout, Record, Seal, StoredBody, StoredRecord, checksum, decompressed,
};

/// Pieces of fronts.
pub const WORDS: &[&[u8]] = &[
    b"FBAY",
    b"FBAY\x01\0",
    b"\x01\0",
    b"\x02\0",
    b"\x04\0",
    b"\x05\0",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\0",
    b"\0\0\x10\0",
    // A literal of one byte, and a copy of it that goes on.
    b"\x1fa\x01\0\xff",
];

/// The longest body that is decompressed here.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// What reads is written again as the same bytes, and what is sealed opens under its own name alone.
pub fn run(bytes: &[u8]) {
    read(Bytes::copy_from_slice(bytes));
    if let Some(forged) = made_right(bytes) {
        read(forged.into());
    }
    let announced = bytes.len() as u64 * 3;
    if let Ok(body) = decompressed(bytes, announced) {
        assert_eq!(body.len() as u64, announced);
    }
    seal(bytes);
}

fn read(bytes: Bytes) {
    let Ok(record) = StoredRecord::read(&bytes) else { return };
    let front = record.front;
    let stored = &record.stored[..];
    let body = match front.layout {
        Layout::Plain => StoredBody::Plain(stored),
        Layout::Compressed => StoredBody::Compressed { bytes: stored, body_len: front.body_len },
        Layout::Elsewhere => StoredBody::Elsewhere { body_len: front.body_len },
    };
    let again = Record {
        key: &record.key,
        head: &record.head,
        trailer: record.trailer.as_deref(),
        body,
        keep_until: front.keep_until,
        stamp: front.stamp,
        epoch: front.epoch,
    };
    let mut written = Vec::new();
    assert_eq!(again.write(&mut written), Ok(()));
    assert_eq!(written, bytes);
    match (record.body(BODY_BYTES_MAX), front.layout) {
        (Ok(body), Layout::Plain | Layout::Compressed) => {
            assert_eq!(body.len() as u64, front.body_len);
        }
        (Ok(body), Layout::Elsewhere) => assert!(body.is_empty()),
        (Err(Damage::TooLong), _) => assert!(front.body_len > BODY_BYTES_MAX),
        (Err(damage), layout) => {
            assert_eq!(layout, Layout::Compressed, "{damage}");
            assert!(matches!(damage, Damage::Compression | Damage::Length), "{damage}");
        }
    }
}

/// The same record with the lengths of its body and all checksums as they must be.
fn made_right(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut forged = bytes.to_vec();
    let (front, behind) = forged.split_at_mut_checked(FRONT_BYTES)?;
    let length =
        |at: usize| u32::from_le_bytes([front[at], front[at + 1], front[at + 2], front[at + 3]]);
    let middle = [56, 60, 64].into_iter().map(|at| u64::from(length(at))).sum::<u64>();
    let (middle, body) = behind.split_at_checked(usize::try_from(middle).ok()?)?;
    let is_plain = front[6] & 6 == 0;
    front[48..56].copy_from_slice(&(body.len() as u64).to_le_bytes());
    if is_plain {
        front[40..48].copy_from_slice(&(body.len() as u64).to_le_bytes());
    }
    front[72..80].copy_from_slice(&checksum(middle).to_le_bytes());
    front[80..88].copy_from_slice(&checksum(body).to_le_bytes());
    let sum = checksum(&front[..FRONT_BYTES - 8]);
    front[FRONT_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
    Some(forged)
}

fn seal(bytes: &[u8]) {
    let seal = Seal::new(b"secret");
    let (name, value) = bytes.split_at(bytes.len() / 4);
    let mut sealed = value.to_vec();
    seal.close(name, &mut sealed);
    assert_eq!(seal.open(name, &sealed), Ok(value.len()));
    assert_eq!(seal.open(bytes, &sealed).is_ok(), name == bytes);
    assert!(seal.open(name, bytes).is_err());
}
