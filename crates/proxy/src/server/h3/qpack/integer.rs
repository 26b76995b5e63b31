//! Integers whose first byte shares its bits with something else (9204 4.1.1, 7541 5.1).

/// An integer that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Integer {
    pub(in super::super) value: u64,
    /// The bits above it in its first byte.
    pub(in super::super) flags: u8,
    /// How many bytes it has.
    pub(in super::super) bytes: usize,
}

/// No integer needs more than 62 bits (9204 4.1.1), and none that does is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct TooLarge;

/// Beyond that many bits of an integer, a further byte cannot be taken.
const SHIFT_MAX: u32 = 56;

/// The integer in the lower `bits` (1 to 8) of the first byte and what follows; `None` while some bytes
/// are missing.
pub(in super::super) fn read(bytes: &[u8], bits: u32) -> Result<Option<Integer>, TooLarge> {
    let mask = u8::MAX >> (8 - bits);
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let flags = first & !mask;
    let mut value = u64::from(first & mask);
    if value < u64::from(mask) {
        return Ok(Some(Integer { value, flags, bytes: 1 }));
    }
    let mut shift = 0;
    for (place, byte) in rest.iter().enumerate() {
        value += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(Integer { value, flags, bytes: place + 2 }));
        }
        shift += 7;
        if shift > SHIFT_MAX {
            return Err(TooLarge);
        }
    }
    Ok(None)
}

/// Appends an integer below these flags.
pub(super) fn append(out: &mut Vec<u8>, flags: u8, bits: u32, value: u64) {
    let mask = u8::MAX >> (8 - bits);
    if value < u64::from(mask) {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | mask);
    let mut rest = value - u64::from(mask);
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_7541_are_read() {
        for (bytes, bits, value) in [
            (&[0b0000_1010][..], 5, 10),
            (&[0b0001_1111, 0b1001_1010, 0b0000_1010], 5, 1337),
            (&[0b0010_1010], 8, 42),
        ] {
            let read = read(bytes, bits).unwrap().unwrap();
            assert_eq!((read.value, read.bytes), (value, bytes.len()));
        }
    }

    #[test]
    fn an_integer_without_an_end_is_refused() {
        assert_eq!(read(&[0xff; 9], 7), Ok(None));
        assert_eq!(read(&[0xff; 10], 7), Err(TooLarge));
        assert_eq!(read(&[&[0xff][..], &[0x80; 9], &[1]].concat(), 7), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in 0u64..1 << 62, bits in 1u32..=8, flags in any::<u8>()) {
            let flags = flags & !(u8::MAX >> (8 - bits));
            let mut bytes = Vec::new();
            append(&mut bytes, flags, bits, value);
            let expected = Integer { value, flags, bytes: bytes.len() };
            prop_assert_eq!(read(&bytes, bits), Ok(Some(expected)));
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>(), bits in 1u32..=8) {
            let _ = read(&bytes, bits);
        }
    }
}
