use proptest::prelude::*;

use super::*;
use crate::case::{NOW, fields};
use crate::variants::Vary;

fn index() -> Variants {
    let mut variants = Variants::new(7);
    for (vary, request, etag) in [
        ("accept-encoding", "accept-encoding: gzip", Some(&b"\"a\""[..])),
        ("accept-encoding, x", "accept-encoding: br | x: y", None),
        ("cookie", "", Some(b"W/\"b\"")),
    ] {
        let vary = Vary::of(&fields(&format!("vary: {vary}")));
        variants.take_in(&vary, &fields(request), etag, NOW, 9);
    }
    variants
}

fn written(variants: &Variants) -> Bytes {
    let mut out = Vec::new();
    variants.encode(&mut out);
    out.into()
}

#[test]
fn what_was_written_reads() {
    for variants in [index(), Variants::new(0)] {
        assert_eq!(Variants::decode(&written(&variants)), Some(variants));
    }
}

#[test]
fn what_is_cut_off_or_longer_is_nothing() {
    let bytes = written(&index());
    for end in 0..bytes.len() {
        assert_eq!(Variants::decode(&bytes.slice(..end)), None, "{end}");
    }
    assert_eq!(Variants::decode(&[&bytes[..], b"!"].concat().into()), None);
}

#[test]
fn what_announces_more_than_a_bound_is_nothing() {
    let mut bytes = written(&Variants::new(0)).to_vec();
    bytes[16..20].copy_from_slice(&(VARIANTS_MAX + 1).to_le_bytes());
    assert_eq!(Variants::decode(&bytes.into()), None);
}

proptest! {
    #[test]
    fn whatever_reads_writes_the_same_again(place: prop::sample::Index, byte: u8) {
        let mut bytes = written(&index()).to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let bytes = Bytes::from(bytes);
        if let Some(read) = Variants::decode(&bytes) {
            prop_assert_eq!(written(&read), bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Variants::decode(&bytes.into());
    }
}

/// The bytes of an index with one variant: its numbers, its tag, its nominated fields.
fn form_of_one(
    (generation, number): (u64, u64),
    next_number: u64,
    etag: Option<&[u8]>,
    nominated: &[(&str, &[u8])],
) -> Bytes {
    let mut form = Vec::new();
    let mut to = Writer(&mut form);
    to.long(7);
    to.long(next_number);
    to.number(1);
    to.long(generation);
    to.long(number);
    to.long(NOW.unix_millis());
    to.maybe(etag);
    to.number(nominated.len() as u32);
    for (name, value) in nominated {
        to.piece(name.as_bytes());
        to.maybe(Some(value));
    }
    form.into()
}

#[test]
fn what_no_index_says_does_not_read() {
    let check = |form: Bytes, expected: bool| {
        let read = Variants::decode(&form);
        assert_eq!(read.is_some(), expected, "{}", form.escape_ascii());
        let Some(mut read) = read else { return };
        assert_eq!(written(&read), form);
        // It counts on.
        let vary = Vary::of(&fields("vary: x-new"));
        let taken = read.take_in(&vary, &fields(""), None, NOW, 9).unwrap();
        assert_eq!(read.iter().filter(|variant| variant.id() == taken.id).count(), 1);
    };
    check(form_of_one((7, 0), 1, None, &[]), true);
    check(form_of_one((7, 0), 1, Some(b"\"a\""), &[("a", b"1"), ("b", b"\0\r\n")]), true);
    // A number that is still to come, one of another index, one from which none could count on.
    check(form_of_one((7, 1), 1, None, &[]), false);
    check(form_of_one((8, 0), 1, None, &[]), false);
    check(form_of_one((7, 0), NUMBER_MAX, None, &[]), true);
    check(form_of_one((7, 0), NUMBER_MAX + 1, None, &[]), false);
    check(form_of_one((7, 0), u64::MAX, None, &[]), false);
    // A tag that would end a line.
    check(form_of_one((7, 0), 1, Some(b"\"a\r\n\""), &[]), false);
    check(form_of_one((7, 0), 1, Some(b"\0"), &[]), false);
    // Names that no `Vary` gives.
    for names in [&["A"][..], &["*"], &[""], &["a b"], &["b", "a"], &["a", "a"], &["\"a\""]] {
        let nominated: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"1"[..])).collect();
        check(form_of_one((7, 0), 1, None, &nominated), false);
    }
}

#[test]
fn two_variants_never_share_an_entry() {
    let mut variants = index();
    variants.list[0].id.number = variants.list[1].id.number;
    assert_eq!(Variants::decode(&written(&variants)), None);
}

#[test]
fn what_a_variant_says_is_bounded_as_a_whole() {
    let value = vec![b'x'; SELECTING_BYTES_MAX];
    let check = |nominated: &[(&str, &[u8])], expected: bool| {
        let form = form_of_one((7, 0), 1, None, nominated);
        assert_eq!(Variants::decode(&form).is_some(), expected);
    };
    check(&[("a", &value), ("b", b"")], true);
    check(&[("a", &value), ("b", b"1")], false);
    let names: Vec<String> = (0..=NOMINATED_MAX).map(|at| format!("n{at:02}")).collect();
    let nominated: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    check(&nominated[1..], true);
    check(&nominated, false);
}

#[test]
fn an_index_of_no_more_than_it_may_list_counts_on() {
    let list_of = |count: u64| {
        let of_one = |number| Variant {
            id: VariantId { generation: 7, number },
            selecting: Box::from([]),
            etag: None,
            received_at: NOW,
        };
        let list = (0..count).map(of_one).collect();
        Variants::decode(&written(&Variants { generation: 7, next_number: count, list }))
    };
    assert!(list_of(u64::from(VARIANTS_MAX)).is_some());
    assert!(list_of(u64::from(VARIANTS_MAX) + 1).is_none());
}
