use proptest::prelude::*;

use super::*;
use crate::case::stored;
use crate::policy::Policy;

fn head(text: &str) -> Stored {
    stored(text, &Policy::default())
}

fn written(head: &Stored) -> Bytes {
    let mut out = Vec::new();
    head.encode(&mut out);
    out.into()
}

#[test]
fn what_was_written_reads() {
    for text in [
        "",
        "cache-control: max-age=60, stale-while-revalidate=5, immutable | age: 10 | a: | b: \u{fc}",
        "cache-control: no-cache | etag: \"a\" | vary: x | vary: y",
        "cache-control: must-revalidate, max-age=1, stale-if-error=0",
        "last-modified: @-100",
    ] {
        let head = head(text);
        assert_eq!(Stored::decode(&written(&head)), Some(head), "{text}");
    }
}

#[test]
fn what_is_cut_off_or_longer_is_nothing() {
    let bytes = written(&head("cache-control: max-age=60"));
    for end in 0..bytes.len() {
        assert_eq!(Stored::decode(&bytes.slice(..end)), None, "{end}");
    }
    assert_eq!(Stored::decode(&[&bytes[..], b"!"].concat().into()), None);
}

#[test]
fn fields_that_are_never_stored_or_badly_written_do_not_read() {
    let plain = written(&head(""));
    let without = |fields: &str| {
        let mut bytes = plain[..plain.len() - block_len(&plain)].to_vec();
        Writer(&mut bytes).piece(fields.as_bytes());
        Stored::decode(&bytes.into())
    };
    assert!(without("a: b\r\n").is_some());
    for bad in [
        "a: b",
        "A: b\r\n",
        "a:b\r\n",
        "a b: c\r\n",
        ": b\r\n",
        "a: b\r\nc\r\n",
        "a: b\nc: d\r\n",
        "a: b\rc\r\n",
        "connection: close\r\n",
        "transfer-encoding: chunked\r\n",
        "content-length: 5\r\n",
        "age: 5\r\n",
        "a: \0\r\n",
    ] {
        assert_eq!(without(bad), None, "{bad:?}");
    }
}

fn block_len(bytes: &Bytes) -> usize {
    4 + Stored::decode(bytes).unwrap().fields().len()
}

proptest! {
    #[test]
    fn whatever_reads_writes_the_same_again(
        place in 0..200_usize, byte: u8, text in "(cache-control: max-age=[0-9]{1,9} \\| )?[a-z]{1,9}: [a-zA-Z ;=,]{0,20}",
    ) {
        let mut bytes = written(&head(&text)).to_vec();
        let place = place % bytes.len();
        bytes[place] = byte;
        let bytes = Bytes::from(bytes);
        if let Some(read) = Stored::decode(&bytes) {
            prop_assert_eq!(written(&read), bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Stored::decode(&bytes.into());
    }
}
