//! Members of weighted lists, as `Accept-Encoding` and its relatives have them: a word, and how much
//! it is wanted (RFC 9110 sections 12.4.2 and 12.5.2 to 12.5.4). Read strictly.

/// One member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weighted<'a> {
    pub(crate) word: &'a [u8],
    /// In thousandths.
    pub(crate) weight: u16,
}

impl<'a> Weighted<'a> {
    /// Reads a member; `None` for what is none, or has further parameters.
    pub(crate) fn read(member: &'a [u8]) -> Option<Self> {
        let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let word = parts.next()?;
        let weight = match parts.next() {
            None => 1000,
            Some(parameter) => weight(parameter)?,
        };
        let is_word = !word.is_empty() && word.iter().all(|byte| is_word_byte(*byte));
        (is_word && parts.next().is_none()).then_some(Weighted { word, weight })
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'_' | b'.' | b'+')
}

/// `q=0.5` in thousandths (RFC 9110 section 12.4.2).
fn weight(parameter: &[u8]) -> Option<u16> {
    let (b"q=" | b"Q=", value) = parameter.split_at_checked(2)? else { return None };
    let (whole, fraction) = match value {
        [whole] => (*whole, &b""[..]),
        [whole, b'.', fraction @ ..] => (*whole, fraction),
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| u16::from(fraction.get(at).map_or(0, |digit| digit - b'0'));
    let thousandths = digit(0) * 100 + digit(1) * 10 + digit(2);
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}
