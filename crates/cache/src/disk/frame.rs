//! What stands before each record in a segment, and before the records in it.
//!
//! A record is a frame and a stored form. The frame says how long the record is, when in the order
//! of all it was written, and whose it is; its sum binds it to its place. A damaged one does not hide
//! those behind it: a scan goes on at the next place where one is sound.

use super::index::{Form, Place, Slot};
use super::sum::{half, number, sum};
use crate::clock::Timestamp;

/// The bytes of a frame.
pub(super) const FRAME_BYTES: usize = 64;
/// Records begin at multiples of this.
pub(super) const ALIGNMENT: usize = 8;
const FRAME_MAGIC: u32 = 0x3179_6246;

/// The bytes before a segment's first record.
pub(super) const SEGMENT_HEADER_BYTES: usize = 32;
const SEGMENT_MAGIC: u64 = 0x3167_6573_7962_7246;

/// A large body's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LargeFile {
    /// Its name, never used twice.
    pub(super) id: u64,
    /// Its bytes, sums included.
    pub(super) bytes: u64,
}

/// What stands before a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) seq: u64,
    pub(super) hash: u64,
    /// The bytes of the stored form that follows.
    pub(super) len: u32,
    pub(super) keep_until: Timestamp,
    pub(super) large: Option<LargeFile>,
}

impl Frame {
    /// As it lies at a place of the segment with this identity.
    pub(super) fn to_bytes(self, segment_id: u64, at: u32) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        let large = self.large.unwrap_or(LargeFile { id: 0, bytes: 0 });
        bytes[..4].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        let numbers = [self.seq, self.hash, self.keep_until.as_millis(), large.id, large.bytes];
        for (number, place) in numbers.iter().zip(bytes[8..48].as_chunks_mut::<8>().0) {
            *place = number.to_le_bytes();
        }
        bytes[48] = u8::from(self.large.is_some());
        seal(&mut bytes, segment_id, at);
        bytes
    }

    /// The frame at this place, if it is sound.
    pub(super) fn read(bytes: &[u8], segment_id: u64, at: u32) -> Option<Self> {
        let bytes = bytes.get(..FRAME_BYTES)?;
        if half(bytes, 0) != FRAME_MAGIC
            || number(bytes, 56) != sum(&bytes[..56], segment_id, u64::from(at))
        {
            return None;
        }
        let large = LargeFile { id: number(bytes, 32), bytes: number(bytes, 40) };
        Some(Self {
            len: half(bytes, 4),
            seq: number(bytes, 8),
            hash: number(bytes, 16),
            keep_until: Timestamp::from_millis(number(bytes, 24)),
            large: (bytes[48] == 1).then_some(large),
        })
    }

    /// The bytes of frame and stored form.
    pub(super) fn record_bytes(&self) -> u64 {
        FRAME_BYTES as u64 + u64::from(self.len)
    }

    pub(super) fn slot(&self, place: Place) -> Slot {
        let form = if self.large.is_some() { Form::Large } else { Form::Small };
        // Records are far shorter than what this can tell: their writer sees to it.
        let len = u32::try_from(self.record_bytes()).unwrap_or(u32::MAX);
        Slot::new(self.hash, place, len, form, self.keep_until)
    }
}

/// The place after so many bytes where the next record begins.
pub(super) fn aligned(at: u64) -> u64 {
    at.next_multiple_of(ALIGNMENT as u64)
}

/// What stands first in a segment: its identity, which is never used twice.
pub(super) fn segment_header(segment_id: u64, number: u32) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[..8].copy_from_slice(&SEGMENT_MAGIC.to_le_bytes());
    bytes[8..16].copy_from_slice(&segment_id.to_le_bytes());
    bytes[16..20].copy_from_slice(&number.to_le_bytes());
    seal_header(&mut bytes, number);
    bytes
}

/// Writes the sum into what may be a frame.
pub(super) fn seal(bytes: &mut [u8], segment_id: u64, at: u32) {
    if bytes.len() >= FRAME_BYTES && half(bytes, 0) == FRAME_MAGIC {
        let seal = sum(&bytes[..56], segment_id, u64::from(at));
        bytes[56..FRAME_BYTES].copy_from_slice(&seal.to_le_bytes());
    }
}

/// Writes the sum into what may be a segment's header.
pub(super) fn seal_header(bytes: &mut [u8], segment: u32) {
    if bytes.len() >= SEGMENT_HEADER_BYTES {
        let seal = sum(&bytes[..24], number(bytes, 8), u64::from(segment));
        bytes[24..SEGMENT_HEADER_BYTES].copy_from_slice(&seal.to_le_bytes());
    }
}

/// The identity of a segment, if its header is sound and its number is this.
pub(super) fn read_segment_header(bytes: &[u8], segment: u32) -> Option<u64> {
    let bytes = bytes.get(..SEGMENT_HEADER_BYTES)?;
    let id = number(bytes, 8);
    let is_sound = number(bytes, 0) == SEGMENT_MAGIC
        && half(bytes, 16) == segment
        && number(bytes, 24) == sum(&bytes[..24], id, u64::from(segment));
    is_sound.then_some(id)
}

/// What a scan of a segment found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// Each sound frame and where it begins, in the order in which they lie.
    pub(super) frames: Vec<(u32, Frame)>,
    /// Gaps: places where a sound frame was to be and was not.
    pub(super) gaps: u64,
}

/// Finds all records of a segment. Reads frames only: whether what follows them is sound shows when
/// it is asked for.
pub(super) fn scan(bytes: &[u8], segment_id: u64) -> Scanned {
    let mut found = Scanned::default();
    let (mut at, mut in_gap) = (SEGMENT_HEADER_BYTES, false);
    while at + FRAME_BYTES <= bytes.len() {
        let Ok(place) = u32::try_from(at) else { break };
        match Frame::read(&bytes[at..], segment_id, place) {
            // A record that is cut off at the end is none.
            Some(frame) if at as u64 + frame.record_bytes() <= bytes.len() as u64 => {
                found.frames.push((place, frame));
                in_gap = false;
                at = aligned(at as u64 + frame.record_bytes()) as usize;
            }
            Some(_) | None => {
                found.gaps += u64::from(!in_gap);
                in_gap = true;
                at += ALIGNMENT;
            }
        }
    }
    found
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn frame(seq: u64, len: u32) -> Frame {
        let large = seq.is_multiple_of(2).then_some(LargeFile { id: seq * 7, bytes: 99 });
        Frame { seq, hash: seq * 31, len, keep_until: Timestamp::from_millis(seq), large }
    }

    fn segment(lens: &[u32]) -> Vec<u8> {
        let mut bytes = segment_header(5, 1).to_vec();
        for (seq, len) in (1..).zip(lens) {
            bytes.extend(frame(seq, *len).to_bytes(5, bytes.len() as u32));
            bytes.extend(std::iter::repeat_n(0xEE, *len as usize));
            bytes.resize(aligned(bytes.len() as u64) as usize, 0);
        }
        bytes
    }

    fn seqs(bytes: &[u8]) -> Vec<u64> {
        scan(bytes, 5).frames.iter().map(|(_, frame)| frame.seq).collect()
    }

    #[test]
    fn a_scan_finds_every_record_as_it_was_written() {
        let bytes = segment(&[0, 7, 100]);
        assert_eq!(read_segment_header(&bytes, 1), Some(5));
        assert_eq!(read_segment_header(&bytes, 2), None);
        let found = scan(&bytes, 5);
        let frames: Vec<_> = found.frames.iter().map(|(_, frame)| *frame).collect();
        assert_eq!(frames, [frame(1, 0), frame(2, 7), frame(3, 100)]);
        assert_eq!(found.gaps, 0);
    }

    #[test]
    fn any_flipped_byte_hides_no_other_record() {
        let bytes = segment(&[0, 7, 100, 8]);
        for at in SEGMENT_HEADER_BYTES..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            let found = seqs(&flipped);
            assert!(found.len() >= 3, "{at}: {found:?}");
            assert!(found.is_sorted() && found.iter().all(|seq| (1..=4).contains(seq)), "{at}");
        }
    }

    #[test]
    fn a_torn_tail_is_cut_off() {
        let bytes = segment(&[40, 40, 40]);
        for len in 0..bytes.len() {
            let found = seqs(&bytes[..len]);
            assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>(), "{len}");
            assert!(found.len() < 3);
        }
    }

    #[test]
    fn a_frame_of_another_place_or_segment_is_none() {
        let bytes = frame(3, 9).to_bytes(5, 64);
        assert!(Frame::read(&bytes, 5, 64).is_some());
        assert!(Frame::read(&bytes, 5, 72).is_none());
        assert!(Frame::read(&bytes, 6, 64).is_none());
    }
}
