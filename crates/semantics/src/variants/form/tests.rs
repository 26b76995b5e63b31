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
