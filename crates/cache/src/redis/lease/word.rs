//! What is said of a lease over Redis: how it ended, as the script takes it and as nodes hear it.
//!
//! `1 <lease> <word>`, the lease by a number that does not give its token away. It is read
//! strictly: what is not exactly this was said by somebody else.

use std::time::Duration;

use crate::lease::Word;

/// The longest message that is read.
pub(super) const MESSAGE_BYTES_MAX: usize = 96;

/// The longest pause that is told or believed.
pub(super) const SPAN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What all nodes may know of a lease: half the digest of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LeaseId(u128);

impl LeaseId {
    const DIGITS: usize = 32;

    /// Reads it as the scripts write it: 32 hexadecimal digits in lower case.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != Self::DIGITS || !text.iter().all(is_digit) {
            return None;
        }
        u128::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok().map(Self)
    }
}

/// The word as it is told; pauses in milliseconds.
pub(super) fn written(word: Word) -> String {
    match word {
        Word::Stored => "stored".to_owned(),
        Word::Local => "local".to_owned(),
        Word::Unshared(span) => format!("unshared {}", millis(span)),
        Word::Failed(code, pause) => format!("failed {code} {}", millis(pause)),
        Word::Left => "left".to_owned(),
    }
}

/// What was said of which lease; `None` for what is no message of ours.
pub(super) fn read(message: &[u8]) -> Option<(LeaseId, Word)> {
    if message.len() > MESSAGE_BYTES_MAX {
        return None;
    }
    let (lease, word) = message.strip_prefix(b"1 ")?.split_at_checked(LeaseId::DIGITS)?;
    Some((LeaseId::read(lease)?, read_word(word.strip_prefix(b" ")?)?))
}

/// A span as scripts take it: whole milliseconds, in bounds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.min(SPAN_MAX).as_millis()).unwrap_or(u64::MAX)
}

/// A span as scripts give it, in bounds.
pub(super) fn span(millis: u64) -> Duration {
    Duration::from_millis(millis).min(SPAN_MAX)
}

fn read_word(text: &[u8]) -> Option<Word> {
    let parts: Vec<&[u8]> = text.splitn(4, |byte| *byte == b' ').collect();
    match parts.as_slice() {
        [b"stored"] => Some(Word::Stored),
        [b"local"] => Some(Word::Local),
        [b"left"] => Some(Word::Left),
        [b"unshared", millis] => Some(Word::Unshared(span(number(millis)?))),
        [b"failed", code, millis] => {
            Some(Word::Failed(u16::try_from(number(code)?).ok()?, span(number(millis)?)))
        }
        _ => None,
    }
}

// Digits only: the standard library's reading would also take a sign.
fn number(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEASE: &str = "00112233445566778899aabbccddeeff";

    fn check(text: &str, expected: Option<Word>) {
        let message = format!("1 {LEASE} {text}");
        let lease = LeaseId::read(LEASE.as_bytes()).unwrap();
        assert_eq!(read(message.as_bytes()), expected.map(|word| (lease, word)), "{text:?}");
    }

    #[test]
    fn a_word_is_read_as_it_was_written() {
        let second = Duration::from_secs(1);
        for word in [
            Word::Stored,
            Word::Local,
            Word::Left,
            Word::Unshared(second),
            Word::Failed(u16::MAX, SPAN_MAX),
        ] {
            check(&written(word), Some(word));
        }
        assert_eq!(written(Word::Failed(502, second)), "failed 502 1000");
        assert_eq!(written(Word::Unshared(Duration::MAX)), "unshared 86400000");
    }

    #[test]
    fn what_is_not_exactly_a_word_is_none() {
        for text in [
            "",
            "Stored",
            "stored ",
            " stored",
            "stored 1",
            "left\n",
            "unshared",
            "unshared ",
            "unshared +1",
            "unshared -1",
            "unshared 1 ",
            "unshared 1e3",
            "unshared 0x1",
            "unshared 18446744073709551616",
            "failed",
            "failed 502",
            "failed 65536 1",
            "failed 502 1 1",
            "failed  502 1",
            "failed 502 ",
            "\u{0}",
        ] {
            check(text, None);
        }
        check("unshared 18446744073709551615", Some(Word::Unshared(SPAN_MAX)));
    }

    #[test]
    fn what_is_about_no_lease_is_none() {
        for message in [
            "".to_owned(),
            "1".to_owned(),
            format!("2 {LEASE} stored"),
            format!("1 {} stored", LEASE.to_uppercase()),
            format!("1 {}  stored", &LEASE[1..]),
            format!("1 {LEASE}0 stored"),
            format!("1 {LEASE}stored"),
            format!("1 +{} stored", &LEASE[1..]),
            format!("1 {LEASE} stored{}", " ".repeat(100)),
        ] {
            assert_eq!(read(message.as_bytes()), None, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = read(&bytes);
            let _ = read(&[format!("1 {LEASE} ").as_bytes(), &bytes].concat());
        }
    }
}
