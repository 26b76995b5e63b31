//! Sections as the RFC has them, and as nobody should write them.

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { bytes_max: 4096, fields_max: 100 };

fn read(bytes: &[u8]) -> Result<Vec<(String, String)>, Unread> {
    let fields = decode(Bytes::copy_from_slice(bytes), BOUNDS)?;
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(fields.iter().map(|field| (text(&field.name), text(&field.value))).collect())
}

fn fields(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_field_is_an_entry_or_a_name_of_one_or_written_out() {
    for (bytes, expected) in [
        // 9204 B.1.
        (&b"\x00\x00\x51\x0b/index.html"[..], &[(":path", "/index.html")][..]),
        (b"\x00\x00", &[]),
        (b"\x00\x00\xd1\xd7\xc1", &[(":method", "GET"), (":scheme", "https"), (":path", "/")]),
        // The last entry, whose index needs a second byte.
        (b"\x00\x00\xff\x23", &[("x-frame-options", "sameorigin")]),
        // Never to be indexed, by name and written out; a base beyond what is there.
        (b"\x00\x05\x75\x01a", &[("cookie", "a")]),
        (b"\x00\x00\x31a\x01b", &[("a", "b")]),
        // Name and value in Huffman's code.
        (b"\x00\x00\x29\x1f\x83\x9b\xd9\xab", &[("a", "gzip")]),
        (b"\x00\x00\x20\x00", &[("", "")]),
    ] {
        assert_eq!(read(bytes), Ok(fields(expected)), "{bytes:x?}");
    }
}

#[test]
fn what_needs_a_dynamic_table_is_refused() {
    for (bytes, why) in [
        (&b"\x01\x00\x80"[..], "needs a dynamic table"),
        (b"\x00\x80", "below zero"),
        (b"\x00\x00\x80", "refers to a dynamic table"),
        (b"\x00\x00\xbf\x00", "refers to a dynamic table"),
        (b"\x00\x00\x10", "refers to a dynamic table"),
        (b"\x00\x00\x00\x01a", "refers to a dynamic table"),
        (b"\x00\x00\x40\x01a", "refers to a dynamic table"),
        (b"\x00\x00\x60\x01a", "refers to a dynamic table"),
        (b"\x00\x00\xff\x24", "beyond the static table"),
        (b"\x00\x00\x5f\x54\x01a", "beyond the static table"),
        (b"\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "too large"),
        (b"", "within an integer"),
        (b"\x00", "within an integer"),
        (b"\x00\x00\xff", "within an integer"),
        (b"\x00\x00\x51\x0b/index", "within a field"),
        (b"\x00\x00\x23ab", "within a field"),
        (b"\x00\x00\x21a", "within an integer"),
        (b"\x00\x00\x29\x00\x00", "does not end well"),
    ] {
        let Err(Unread::Fault(fault)) = read(bytes) else { panic!("{bytes:x?} was read") };
        assert_eq!(fault.code, Code::QpackDecompressionFailed);
        assert!(fault.text.contains(why), "{bytes:x?}: {}", fault.text);
    }
}

#[test]
fn a_section_is_bounded_in_fields_and_in_bytes() {
    let of = |bytes: &[u8], bytes_max, fields_max| {
        decode(Bytes::copy_from_slice(bytes), Bounds { bytes_max, fields_max }).map(|_| ())
    };
    // `:method: GET` has 42 bytes.
    let three = b"\x00\x00\xd1\xd1\xd1";
    assert_eq!(of(three, 126, 3), Ok(()));
    assert_eq!(of(three, 125, 3), Err(Unread::TooLarge));
    assert_eq!(of(three, 126, 2), Err(Unread::TooLarge));
    // Of what is short on the wire, the bytes that it stands for count.
    let cookie = b"\x00\x00\x55\x85\x18\xc6\x31\x8c\x63";
    assert_eq!(of(cookie, 32 + 6 + 8, 1), Ok(()));
    assert_eq!(of(cookie, 32 + 6 + 7, 1), Err(Unread::TooLarge));
    assert_eq!(of(b"\x00\x00\x20\x00", 31, 1), Err(Unread::TooLarge));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        written in proptest::collection::vec(("(:path|cookie|vary|[a-z-]{1,12})", any::<Vec<u8>>()), 0..8),
    ) {
        let mut section = Section::new();
        written.iter().for_each(|(name, value)| section.add(name, value));
        let bounds = Bounds { bytes_max: 1 << 16, fields_max: 8 };
        let read = decode(section.into_bytes().into(), bounds).unwrap();
        prop_assert_eq!(read.len(), written.len());
        for (field, (name, value)) in read.iter().zip(&written) {
            prop_assert_eq!(&field.name[..], name.as_bytes());
            prop_assert_eq!(&field.value[..], &value[..]);
        }
    }

    #[test]
    fn no_bytes_panic_or_go_beyond_the_bounds(bytes in any::<Vec<u8>>()) {
        let bytes = [&[0, 0][..], &bytes].concat();
        if let Ok(fields) = decode(bytes.into(), Bounds { bytes_max: 300, fields_max: 5 }) {
            prop_assert!(fields.len() <= 5);
            let sum = fields.iter().map(|field| field.name.len() + field.value.len() + 32);
            prop_assert!(sum.sum::<usize>() <= 300);
        }
    }
}
