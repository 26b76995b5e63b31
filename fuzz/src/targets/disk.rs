//! A disk tier's files: segments, their sidecars, removals.
//!
//! An input is a byte that says which, and the file. It is read as it is, and once more with all
//! checksums made right, as somebody would who writes on purpose.

use forebay_cache::disk::inspect::{self, Contents};

/// Pieces of files.
pub const WORDS: &[&[u8]] = &[
    &0x3179_6246_u32.to_le_bytes(),
    &0x3167_6573_7962_7246_u64.to_le_bytes(),
    &0x3178_6469_7962_7246_u64.to_le_bytes(),
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\x80",
    b"\x20\0\0\0",
    b"\x01",
];

/// The least that a record takes: a frame, a line of a sidecar, a removal.
const RECORD_BYTES: [u64; 3] = [64, 32, 24];

/// No file holds more than its bytes can.
pub fn run(bytes: &[u8]) {
    let Some((kind, file)) = bytes.split_first() else { return };
    let kind = usize::from(*kind) % RECORD_BYTES.len();
    let mut forged = file.to_vec();
    let read: [Contents; 2] = match kind {
        0 => {
            inspect::seal_segment(&mut forged, 1);
            [inspect::segment(file, 1), inspect::segment(&forged, 1)]
        }
        1 => {
            let id = file.get(8..16).map_or(0, |id| {
                id.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
            });
            inspect::seal_sidecar(&mut forged, id);
            [inspect::sidecar(file.to_vec(), id), inspect::sidecar(forged, id)]
        }
        _ => [inspect::removals(file), inspect::removals(&forged)],
    };
    for contents in read {
        assert!(contents.records * RECORD_BYTES[kind] <= file.len() as u64, "{contents:?}");
    }
}
