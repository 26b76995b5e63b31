//! What lies in a disk tier's files, read from their bytes alone: for who looks for damage, and for
//! the fuzzer.

use std::collections::HashMap;

use super::frame::{read_segment_header, scan};
use super::{removals, sidecar};

/// What a file was found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Sound records, or what stands for them.
    pub records: u64,
    /// Places where one was to be and was not sound.
    pub damaged: u64,
}

/// A segment with this number.
pub fn segment(bytes: &[u8], number: u32) -> Contents {
    match read_segment_header(bytes, number) {
        Some(id) => {
            let scanned = scan(bytes, id);
            Contents { records: scanned.frames.len() as u64, damaged: scanned.gaps }
        }
        None => Contents { records: 0, damaged: 1 },
    }
}

/// The sidecar of a segment with this identity.
pub fn sidecar(bytes: Vec<u8>, segment_id: u64) -> Contents {
    match sidecar::read(bytes, segment_id) {
        Some(records) => Contents { records: records.len() as u64, damaged: 0 },
        None => Contents { records: 0, damaged: 1 },
    }
}

/// A file of removals.
pub fn removals(bytes: &[u8]) -> Contents {
    let mut removed = HashMap::new();
    let damaged = removals::read_into(bytes, &mut removed);
    Contents { records: removed.len() as u64, damaged }
}
