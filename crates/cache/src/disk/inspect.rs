//! What lies in a disk tier's files, read from their bytes alone: for who looks for damage, and for
//! the fuzzer.

use std::collections::HashMap;
use std::path::Path;

use super::frame::{self, read_segment_header, scan};
use super::{directory, removals, sidecar};

/// What a file was found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Sound records, or what stands for them.
    pub records: u64,
    /// Places where one was to be and was not sound.
    pub damaged: u64,
}

/// The version of what lies in a tier's directory, and the one that this program writes; nothing
/// where there is none, or none that reads.
pub fn versions(root: &Path) -> Option<(u32, u32)> {
    directory::version_in(root).map(|found| (found, directory::VERSION))
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

/// Writes the sums into a segment as if all in it were meant: what a forger would do.
pub fn seal_segment(bytes: &mut [u8], number: u32) {
    frame::seal_header(bytes, number);
    let Some(id) = read_segment_header(bytes, number) else { return };
    for at in (frame::SEGMENT_HEADER_BYTES..bytes.len()).step_by(frame::ALIGNMENT) {
        let Ok(place) = u32::try_from(at) else { return };
        frame::seal(&mut bytes[at..], id, place);
    }
}

/// As [`seal_segment`], for the sidecar of a segment with this identity.
pub fn seal_sidecar(bytes: &mut [u8], segment_id: u64) {
    sidecar::seal(bytes, segment_id);
}
