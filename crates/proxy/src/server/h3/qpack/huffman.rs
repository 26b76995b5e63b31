//! Huffman's code of HPACK and QPACK (7541 5.2, appendix B; 9204 4.1.2).
//!
//! The code is canonical: of two symbols the shorter code comes first, of two as long the lesser
//! symbol. So the lengths are all there is to write down, and the codes follow.

/// Why bytes are no string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The string is longer than its bound.
    TooLong,
    /// It does not end with less than a byte of ones, or has the end of strings in it.
    Padding,
}

/// The bits of a code: 5 to 30.
const BITS_MAX: usize = 30;

/// Reads a string of no more than these bytes.
pub(super) fn decode(coded: &[u8], bytes_max: usize) -> Result<Vec<u8>, Wrong> {
    // No code is shorter than five bits.
    let mut out = Vec::with_capacity((coded.len() * 8 / 5).min(bytes_max));
    let (mut window, mut bits, mut coded) = (0u64, 0, coded.iter());
    loop {
        while bits <= BITS_MAX {
            let Some(byte) = coded.next() else { break };
            window = window << 8 | u64::from(*byte);
            bits += 8;
        }
        let Some((symbol, length)) = symbol(window, bits) else { break };
        if out.len() == bytes_max {
            return Err(Wrong::TooLong);
        }
        out.push(symbol);
        bits -= length;
    }
    let padding = (1u64 << bits) - 1;
    if bits < 8 && window & padding == padding { Ok(out) } else { Err(Wrong::Padding) }
}

/// The symbol that the window's last bits begin with, and the length of its code; none where no code
/// is whole.
fn symbol(window: u64, bits: usize) -> Option<(u8, usize)> {
    (5..=bits.min(BITS_MAX)).find_map(|length| {
        let code = (window >> (bits - length)) as u32 & ((1 << length) - 1);
        let place = code.checked_sub(CODE.first[length])?;
        let is_there = place < u32::from(CODE.count[length]);
        is_there.then(|| (CODE.sorted[usize::from(CODE.start[length]) + place as usize], length))
    })
}

/// How many bytes a string has in this code.
pub(super) fn encoded_bytes(text: &[u8]) -> usize {
    text.iter().map(|symbol| usize::from(BITS[usize::from(*symbol)])).sum::<usize>().div_ceil(8)
}

/// Appends a string in this code.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut window, mut bits) = (0u64, 0);
    for symbol in text {
        let length = BITS[usize::from(*symbol)];
        window = window << length | u64::from(CODE.codes[usize::from(*symbol)]);
        bits += length;
        while bits >= 8 {
            bits -= 8;
            out.push((window >> bits) as u8);
        }
    }
    if bits > 0 {
        let padding = 8 - bits;
        out.push((window << padding) as u8 | ((1 << padding) - 1));
    }
}

/// What follows from the lengths.
struct Code {
    /// The code of each symbol.
    codes: [u32; 256],
    /// The symbols in the order of their codes.
    sorted: [u8; 256],
    /// Of each length: the first code, how many there are, and where they begin in `sorted`.
    first: [u32; BITS_MAX + 1],
    count: [u8; BITS_MAX + 1],
    start: [u8; BITS_MAX + 1],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut all = Code {
        codes: [0; 256],
        sorted: [0; 256],
        first: [0; BITS_MAX + 1],
        count: [0; BITS_MAX + 1],
        start: [0; BITS_MAX + 1],
    };
    let (mut next, mut place, mut length) = (0, 0, 1);
    while length <= BITS_MAX {
        next <<= 1;
        all.first[length] = next;
        all.start[length] = place as u8;
        let mut symbol = 0;
        while symbol < 256 {
            if BITS[symbol] as usize == length {
                all.codes[symbol] = next;
                all.sorted[place] = symbol as u8;
                all.count[length] += 1;
                next += 1;
                place += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    all
}

/// The bits of each symbol's code (7541 appendix B). What is left over is the end of strings: thirty
/// ones.
#[rustfmt::skip]
const BITS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn coded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(text, &mut out);
        out
    }

    #[test]
    fn the_examples_of_rfc_7541_are_written_and_read() {
        for (text, expected) in [
            ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
            ("no-cache", "a8eb10649cbf"),
            ("custom-key", "25a849e95ba97d7f"),
            ("custom-value", "25a849e95bb8e8b4bf"),
            ("302", "6402"),
            ("private", "aec3771a4b"),
            ("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
            ("https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"),
            ("gzip", "9bd9ab"),
        ] {
            let out = coded(text.as_bytes());
            let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{text}");
            assert_eq!(decode(&out, 100).unwrap(), text.as_bytes());
            assert_eq!(encoded_bytes(text.as_bytes()), out.len());
        }
    }

    #[test]
    fn codes_of_appendix_b_follow_from_their_lengths() {
        for (symbol, code) in [
            (b'0', 0x0),
            (b' ', 0x14),
            (b':', 0x5c),
            (b'\\', 0x7fff0),
            (0, 0x1ff8),
            (1, 0x7fffd8),
            (10, 0x3ffffffc),
            (22, 0x3ffffffe),
            (127, 0xffffffc),
            (255, 0x3ffffee),
        ] {
            assert_eq!(CODE.codes[usize::from(symbol)], code, "{symbol}");
        }
    }

    #[test]
    fn what_follows_a_string_is_less_than_a_byte_of_ones() {
        for bytes in [
            // `0` behind zeros, behind too few ones, behind a byte of ones.
            &[0b0000_0000][..],
            &[0b0000_0110],
            &[0b0000_0111, 0xff],
            &[0xff],
            // The end of strings.
            &[0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(decode(bytes, 100), Err(Wrong::Padding), "{bytes:x?}");
        }
        assert_eq!(decode(&[0b0000_0111], 100).unwrap(), b"0");
        assert_eq!(decode(&[], 100).unwrap(), b"");
    }

    #[test]
    fn a_string_is_read_up_to_its_bound() {
        assert_eq!(decode(&coded(b"aaaa"), 4).unwrap(), b"aaaa");
        assert_eq!(decode(&coded(b"aaaaa"), 4), Err(Wrong::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&coded(&text), text.len()), Ok(text));
        }

        #[test]
        fn what_is_read_is_written_so(bytes in any::<Vec<u8>>()) {
            if let Ok(text) = decode(&bytes, 1 << 16) {
                prop_assert_eq!(coded(&text), bytes);
            }
        }
    }
}
