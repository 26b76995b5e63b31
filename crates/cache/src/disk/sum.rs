//! Checksums that know where they stand: the same bytes at another place have another sum, so that
//! nothing that strayed, or was left over, is taken for what belongs there.

use crate::codec::checksum;

/// The sum of bytes that belong to this place of that thing.
pub(super) fn sum(bytes: &[u8], of: u64, place: u64) -> u64 {
    checksum(bytes) ^ mixed(of ^ mixed(place))
}

// Neighbouring places must not have neighbouring sums (splitmix64).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// The eight bytes at a place, as a number. The place is within the bytes: callers cut them so.
pub(super) fn number(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

/// As [`number`], of four bytes.
pub(super) fn half(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}
