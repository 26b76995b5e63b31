//! Integers of QUIC: one, two, four or eight bytes, of which the first two bits say which (9000 16).

/// The bytes of the longest.
pub(super) const BYTES_MAX: usize = 8;
/// The largest.
pub(super) const MAX: u64 = (1 << 62) - 1;

/// The integer that these bytes begin with, and how many bytes it has; `None` while some are missing.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = 1 << (bytes.first()? >> 6);
    let (first, rest) = bytes.get(..length)?.split_first()?;
    let value =
        rest.iter().fold(u64::from(first & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

/// Appends an integer in its shortest form; what is too large becomes the largest.
pub(super) fn append(out: &mut Vec<u8>, value: u64) {
    let value = value.min(MAX);
    let bytes = value.to_be_bytes();
    match value {
        0..=0x3f => out.push(bytes[7]),
        0x40..=0x3fff => out.extend_from_slice(&[0x40 | bytes[6], bytes[7]]),
        0x4000..=0x3fff_ffff => {
            out.extend_from_slice(&[0x80 | bytes[4], bytes[5], bytes[6], bytes[7]]);
        }
        _ => {
            out.push(0xc0 | bytes[0]);
            out.extend_from_slice(&bytes[1..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_9000_are_read() {
        for (bytes, expected) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            assert_eq!(read(bytes), Some((expected, bytes.len())));
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), None);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0..=MAX, rest in any::<Vec<u8>>()) {
            let mut bytes = Vec::new();
            append(&mut bytes, value);
            let length = bytes.len();
            bytes.extend(rest);
            prop_assert_eq!(read(&bytes), Some((value, length)));
        }
    }
}
