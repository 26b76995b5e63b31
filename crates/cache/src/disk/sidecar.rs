//! The index of a sealed segment, beside it: what a scan of it would find, in one piece, so that a
//! start reads megabytes and not the whole disk. One that is not sound is a scan.

use super::frame::{Frame, LargeFile};
use super::sum::{half, number, sum};
use crate::clock::Timestamp;

const MAGIC: u64 = 0x3178_6469_7962_7246;
const HEADER_BYTES: usize = 48;
/// What a small record costs in a sidecar; a large one costs [`LARGE_BYTES`] more.
const LISTED_BYTES: usize = 32;
const LARGE_BYTES: usize = 24;

/// The bytes of a sidecar that lists so many.
pub(super) fn sidecar_bytes(records: usize, large: usize) -> u64 {
    (HEADER_BYTES + records * LISTED_BYTES + large * LARGE_BYTES) as u64
}

/// Lists the records of a segment. Their numbers lie close together: a segment holds what was
/// written in a row.
pub(super) fn to_bytes(segment_id: u64, records: &[(u32, Frame)]) -> Vec<u8> {
    let first_seq = records.first().map_or(0, |(_, frame)| frame.seq);
    let large = records.iter().filter(|(_, frame)| frame.large.is_some()).count();
    let mut bytes = vec![0; HEADER_BYTES];
    for (at, frame) in records {
        bytes.extend(frame.hash.to_le_bytes());
        bytes.extend(frame.keep_until.as_millis().to_le_bytes());
        bytes.extend(at.to_le_bytes());
        bytes.extend(frame.len.to_le_bytes());
        bytes.extend(frame.seq.wrapping_sub(first_seq).to_le_bytes());
    }
    for (index, (_, frame)) in records.iter().enumerate() {
        let Some(large) = frame.large else { continue };
        for word in [index as u64, large.id, large.bytes] {
            bytes.extend(word.to_le_bytes());
        }
    }
    let words = [MAGIC, segment_id, first_seq, records.len() as u64, large as u64];
    for (word, place) in words.iter().zip(bytes[..40].as_chunks_mut::<8>().0) {
        *place = word.to_le_bytes();
    }
    seal(&mut bytes, segment_id);
    bytes
}

/// Writes the sum into what may be a sidecar.
pub(super) fn seal(bytes: &mut [u8], segment_id: u64) {
    if bytes.len() >= HEADER_BYTES {
        bytes[40..48].fill(0);
        let seal = sum(bytes, segment_id, MAGIC);
        bytes[40..48].copy_from_slice(&seal.to_le_bytes());
    }
}

/// The records that it lists, if it is sound and belongs to this segment.
pub(super) fn read(mut bytes: Vec<u8>, segment_id: u64) -> Option<Vec<(u32, Frame)>> {
    if bytes.len() < HEADER_BYTES || number(&bytes, 0) != MAGIC || number(&bytes, 8) != segment_id {
        return None;
    }
    let seal = number(&bytes, 40);
    bytes[40..48].fill(0);
    let (records, large) = (number(&bytes, 24), number(&bytes, 32));
    let len = records.checked_mul(LISTED_BYTES as u64).zip(large.checked_mul(LARGE_BYTES as u64));
    let len = len.and_then(|(records, large)| records.checked_add(large)?.checked_add(48));
    if len != Some(bytes.len() as u64) || sum(&bytes, segment_id, MAGIC) != seal {
        return None;
    }
    // All of it lies in memory, so its counts fit.
    let listed = &bytes[HEADER_BYTES..HEADER_BYTES + records as usize * LISTED_BYTES];
    let first_seq = number(&bytes, 16);
    let mut frames: Vec<_> =
        listed.chunks_exact(LISTED_BYTES).map(|one| read_one(one, first_seq)).collect();
    for one in bytes[HEADER_BYTES + listed.len()..].chunks_exact(LARGE_BYTES) {
        let index = usize::try_from(number(one, 0)).ok()?;
        let large = LargeFile { id: number(one, 8), bytes: number(one, 16) };
        frames.get_mut(index)?.1.large = Some(large);
    }
    Some(frames)
}

fn read_one(one: &[u8], first_seq: u64) -> (u32, Frame) {
    let frame = Frame {
        hash: number(one, 0),
        keep_until: Timestamp::from_millis(number(one, 8)),
        len: half(one, 20),
        seq: first_seq.wrapping_add(number(one, 24)),
        large: None,
    };
    (half(one, 16), frame)
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn listed() -> Vec<(u32, Frame)> {
        let one = |seq: u64| {
            let large =
                seq.is_multiple_of(3).then_some(LargeFile { id: seq << 40, bytes: 1 << 33 });
            let keep_until = Timestamp::from_millis(seq * 1_000);
            (seq as u32 * 80, Frame { seq, hash: !seq, len: 16, keep_until, large })
        };
        (5..12).map(one).collect()
    }

    #[test]
    fn what_was_listed_reads_back() {
        for records in [listed(), Vec::new()] {
            let bytes = to_bytes(9, &records);
            let large = records.iter().filter(|(_, frame)| frame.large.is_some()).count();
            assert_eq!(bytes.len() as u64, sidecar_bytes(records.len(), large));
            assert_eq!(read(bytes.clone(), 9).unwrap(), records);
            assert_eq!(read(bytes, 8), None);
        }
    }

    #[test]
    fn what_was_flipped_or_cut_does_not_read() {
        let bytes = to_bytes(9, &listed());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(read(flipped, 9), None, "{at}");
            assert_eq!(read(bytes[..at].to_vec(), 9), None, "{at}");
        }
    }
}
