use proptest::prelude::*;

use super::*;
use crate::case::{NOW, after, asked, stored};
use crate::fields::{FIELD_BYTES_MAX, FIELD_LINES_MAX};
use crate::policy::Policy;
use crate::reuse::reuse;
use crate::standing::Standing;

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

/// A good head with these bytes in place of its fields.
fn with_lines(lines: &[u8]) -> Bytes {
    let plain = written(&head(""));
    let mut bytes = plain[..plain.len() - block_len(&plain)].to_vec();
    Writer(&mut bytes).piece(lines);
    bytes.into()
}

#[test]
fn fields_that_are_never_stored_or_badly_written_do_not_read() {
    for good in [&b""[..], b"a: b\r\n", b"a: \r\n", b"a:  b \r\n", b"a: b\r\na: \xe9\tc\r\n"] {
        let bytes = with_lines(good);
        let read = Stored::decode(&bytes).unwrap();
        assert_eq!((&read.fields().as_bytes()[..], written(&read)), (good, bytes));
    }
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
        "a: \x7f\r\n",
        "a: b\r",
        "a: b\r\n\r\n",
        "a: b\r\n c: d\r\n",
        "\r\n",
        "a\"b: c\r\n",
        "keep-alive: 1\r\n",
        "proxy-authenticate: 1\r\n",
        "proxy-authentication-info: 1\r\n",
        "proxy-authorization: 1\r\n",
        "proxy-connection: 1\r\n",
        "te: 1\r\n",
        "trailer: 1\r\n",
        "upgrade: 1\r\n",
    ] {
        assert_eq!(Stored::decode(&with_lines(bad.as_bytes())), None, "{bad:?}");
    }
}

#[test]
fn fields_beyond_a_bound_do_not_read() {
    let check = |lines: Vec<u8>, expected: bool| {
        let read = Stored::decode(&with_lines(&lines));
        assert_eq!(read.is_some(), expected, "{} bytes", lines.len());
        // More lines than a map holds would end the process here.
        read.map(|read| read.fields().to_map());
    };
    check(b"a: \r\n".repeat(FIELD_LINES_MAX), true);
    check(b"a: \r\n".repeat(FIELD_LINES_MAX + 1), false);
    let names = |count: usize| (0..count).flat_map(|at| format!("n{at}: \r\n").into_bytes());
    check(names(FIELD_LINES_MAX).collect(), true);
    check(names(33_000).collect(), false);
    let long = |length: usize| [b"a: ", &vec![b'x'; length - 5][..], b"\r\n"].concat();
    check(long(FIELD_BYTES_MAX), true);
    check(long(FIELD_BYTES_MAX + 1), false);
}

#[test]
fn the_form_is_this_and_no_other() {
    let head = head("cache-control: max-age=60, stale-if-error=9 | age: 2 | cache-tag: a");
    let mut expected = Vec::new();
    for long in [NOW.unix_millis(), head.keep_until().unix_millis(), 2_000, 60_000] {
        expected.extend_from_slice(&long.to_le_bytes());
    }
    expected.extend_from_slice(&u32::MAX.to_le_bytes());
    expected.extend_from_slice(&9_u32.to_le_bytes());
    expected.extend_from_slice(&200_u16.to_le_bytes());
    expected.extend_from_slice(&[0, 0, 0, 0]);
    Writer(&mut expected).piece(b"ta\n");
    Writer(&mut expected).piece(head.fields().as_bytes());
    assert_eq!(written(&head), expected);
}

#[test]
fn numbers_without_a_meaning_do_not_read() {
    let good = written(&head(""));
    let check = |at: usize, bytes: &[u8], expected: bool| {
        let mut form = good.to_vec();
        form[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(Stored::decode(&form.into()).is_some(), expected, "{bytes:?} at {at}");
    };
    for status in [0, 99, 100, 103, 199, 1_000] {
        check(40, &u16::to_le_bytes(status), false);
    }
    for status in [200, 404, 999] {
        check(40, &u16::to_le_bytes(status), true);
    }
    for (at, first_bad) in [(42, 4), (43, 3), (44, 2), (45, 2)] {
        check(at, &[first_bad - 1], true);
        check(at, &[first_bad], false);
        check(at, &[255], false);
    }
    for at in [32, 36] {
        check(at, &(1_u32 << 31).to_le_bytes(), true);
        check(at, &((1_u32 << 31) + 1).to_le_bytes(), false);
    }
}

#[test]
fn times_stay_what_they_were() {
    let before = head("cache-control: max-age=60 | age: 10");
    let read = Stored::decode(&written(&before)).unwrap();
    for (later, ttl) in [(0, 50), (49_000, 1), (60_000, -10)] {
        assert_eq!(read.ttl_seconds(after(later)), ttl);
    }
    assert_eq!((read.keep_until(), read.received_at()), (before.keep_until(), NOW));
}

fn block_len(bytes: &Bytes) -> usize {
    4 + Stored::decode(bytes).unwrap().fields().len()
}

proptest! {
    #[test]
    fn whatever_reads_harms_no_rule(
        numbers in proptest::collection::vec(any::<u64>(), 4),
        status in 200_u16..1000,
        small in proptest::collection::vec(0_u8..4, 4),
        now: u64,
    ) {
        let mut form = Vec::new();
        numbers.iter().for_each(|number| form.extend_from_slice(&number.to_le_bytes()));
        form.extend_from_slice(&[255; 8]);
        form.extend_from_slice(&status.to_le_bytes());
        form.extend_from_slice(&small);
        Writer(&mut form).piece(b"etag: \"a\"\r\n");
        if let Some(read) = Stored::decode(&Bytes::from(form)) {
            let (policy, now) = (Policy::default(), Timestamp::from_unix_millis(now));
            reuse(&asked("GET", &policy), &read, &policy, &Standing::SOUND, now);
            read.ttl_seconds(now);
            read.freshen(&policy, &read.fields().to_map(), now, now);
            prop_assert!(!read.made_stale(now).is_fresh(now));
        }
    }

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
