//! Moments and spans at the edges of what a number can hold.

use std::time::Duration;

use forebay_semantics::date::Timestamp;

/// Numbers at which arithmetic turns over.
pub const WORDS: &[&[u8]] =
    &[&[0; 8], &[0xff; 8], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], &[1, 0, 0, 0]];

/// Adding saturates, and what was added is what lies between.
pub fn run(bytes: &[u8]) {
    let mut numbers = bytes.chunks(8).map(|chunk| {
        let mut number = [0; 8];
        number[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(number)
    });
    let (Some(seconds), Some(nanos)) = (numbers.next(), numbers.next()) else { return };
    let span = Duration::new(seconds, (nanos % 1_000_000_000) as u32);
    let start = Timestamp::EPOCH;
    let end = start.saturating_add(span);
    assert!(end >= start);
    assert!(end.since(start) <= span);
    assert_eq!(start.since(end), Duration::ZERO);
}
