//! Where an exchange stands in a trace, and what clients say of theirs: `traceparent` and `tracestate`,
//! read strictly, and dropped where they are not well formed (W3C Trace Context, level 2).

use std::fmt;

use http::{HeaderMap, HeaderName};

/// Where a request stands in a trace.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What vendors add to that.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Members of a `tracestate` (section 3.3.1.1).
const MEMBERS_MAX: usize = 32;

/// Bytes of a key, and of a value.
const WORD_BYTES_MAX: usize = 256;

/// What version 00 is long, and what later ones begin with (section 3.2).
const LENGTH: usize = 55;

/// Whose flag says that the trace is kept.
const SAMPLED: u8 = 1;

/// Whether anybody keeps the spans of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// Its spans are sent.
    Yes,
    /// They are not.
    No,
}

/// Where an exchange, or a fetch, stands in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Here {
    /// The trace.
    pub trace_id: [u8; 16],
    /// Its own span.
    pub span_id: [u8; 8],
    /// The span that caused it, unless it is the first.
    pub parent_id: Option<[u8; 8]>,
    /// Whether its span is sent.
    pub sampled: Sampled,
}

impl Here {
    /// As `traceparent` says it.
    pub fn said(&self) -> String {
        let flags = match self.sampled {
            Sampled::Yes => "01",
            Sampled::No => "00",
        };
        format!("00-{}-{}-{flags}", Hex(&self.trace_id), Hex(&self.span_id))
    }

    /// The trace, as logs name it.
    pub fn trace(&self) -> String {
        Hex(&self.trace_id).to_string()
    }
}

/// What a client says of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The client's span.
    pub parent_id: [u8; 8],
    /// Whether the client keeps it.
    pub sampled: Sampled,
}

impl Traceparent {
    /// What these fields say, if it is well formed.
    pub fn of(fields: &HeaderMap) -> Option<Self> {
        let mut lines = fields.get_all(TRACEPARENT).into_iter();
        let (Some(only), None) = (lines.next(), lines.next()) else { return None };
        Traceparent::parse(only.as_bytes())
    }

    /// The trace, as logs name it.
    pub fn trace(&self) -> String {
        Hex(&self.trace_id).to_string()
    }

    /// Reads a `traceparent` (section 3.2). Of a later version the part that this one knows counts.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(LENGTH)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let [version] = hex(parts.next()?)?;
        let trace_id: [u8; 16] = hex(parts.next()?)?;
        let parent_id: [u8; 8] = hex(parts.next()?)?;
        let [flags] = hex(parts.next()?)?;
        let is_whole = match version {
            0xff => false,
            0 => rest.is_empty(),
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let is_valid =
            is_whole && parts.next().is_none() && trace_id != [0; 16] && parent_id != [0; 8];
        let sampled = if flags & SAMPLED == 0 { Sampled::No } else { Sampled::Yes };
        is_valid.then_some(Traceparent { trace_id, parent_id, sampled })
    }
}

/// Takes away what is not well formed, and a `tracestate` without a `traceparent` that it belongs to.
pub fn clean(fields: &mut HeaderMap) {
    let has_parent = fields.contains_key(TRACEPARENT);
    if !has_parent && !fields.contains_key(TRACESTATE) {
        return;
    }
    if !has_parent || Traceparent::of(fields).is_none() {
        fields.remove(TRACEPARENT);
        fields.remove(TRACESTATE);
    } else if !is_state(fields) {
        fields.remove(TRACESTATE);
    }
}

/// Whether all lines of `tracestate` are one well-formed list (section 3.3.1).
fn is_state(fields: &HeaderMap) -> bool {
    let mut keys: Vec<&[u8]> = Vec::new();
    for line in fields.get_all(TRACESTATE) {
        for member in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if member.is_empty() {
                continue;
            }
            let Some(at) = member.iter().position(|byte| *byte == b'=') else { return false };
            let (key, value) = (&member[..at], &member[at + 1..]);
            let is_new = keys.len() < MEMBERS_MAX && !keys.contains(&key);
            if !is_new || !is_key(key) || !is_value(value) {
                return false;
            }
            keys.push(key);
        }
    }
    true
}

fn is_key(key: &[u8]) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_fine = |byte: &u8| is_first(byte) || b"_-*/@".contains(byte);
    key.len() <= WORD_BYTES_MAX && key.first().is_some_and(is_first) && key.iter().all(is_fine)
}

fn is_value(value: &[u8]) -> bool {
    let is_fine = |byte: &u8| matches!(byte, b' '..=b'~') && !b",=".contains(byte);
    !value.is_empty() && value.len() <= WORD_BYTES_MAX && value.iter().all(is_fine)
}

/// As many bytes as it must be, in hexadecimal and lower case.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Bytes in hexadecimal and lower case.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn fields(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(name, HeaderValue::from_str(value).unwrap());
        }
        fields
    }

    #[test]
    fn what_is_well_formed_is_read() {
        let parent = Traceparent::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(Hex(&parent.trace_id).to_string(), &GOOD[3..35]);
        assert_eq!(Hex(&parent.parent_id).to_string(), &GOOD[36..52]);
        assert_eq!(parent.sampled, Sampled::Yes);
        let check = |end: &str, expected: Sampled| {
            let parent = Traceparent::parse(format!("{}{end}", &GOOD[..53]).as_bytes()).unwrap();
            assert_eq!(parent.sampled, expected, "{end}");
        };
        check("00", Sampled::No);
        check("02", Sampled::No);
        check("03", Sampled::Yes);
        check("ff", Sampled::Yes);
        for later in [format!("cc{}", &GOOD[2..]), format!("01{}-more", &GOOD[2..])] {
            assert!(Traceparent::parse(later.as_bytes()).is_some(), "{later}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_nothing() {
        let check =
            |value: String| assert!(Traceparent::parse(value.as_bytes()).is_none(), "{value}");
        for end in 0..GOOD.len() {
            check(GOOD[..end].to_owned());
        }
        check(GOOD.to_uppercase());
        check(format!("{GOOD}-more"));
        check(format!("01{}more", &GOOD[2..]));
        check(format!("ff{}", &GOOD[2..]));
        check(format!(" {GOOD}"));
        check(GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)));
        check(GOOD.replace("b7ad6b7169203331", &"0".repeat(16)));
        check(GOOD.replace('-', "_"));
        check(GOOD.replace("b7", "g7"));
        check("00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01".to_owned());
    }

    #[test]
    fn what_is_malformed_goes_no_further() {
        let check = |lines: &[(HeaderName, &str)], left: usize| {
            let mut fields = fields(lines);
            clean(&mut fields);
            assert_eq!(fields.len(), left, "{lines:?}");
        };
        let good = (TRACEPARENT, GOOD);
        check(&[], 0);
        check(std::slice::from_ref(&good), 1);
        check(&[good.clone(), (TRACESTATE, "a=1, b@c=2,,0/x=y z"), (TRACESTATE, "")], 3);
        check(&[(TRACESTATE, "a=1")], 0);
        check(&[good.clone(), good.clone()], 0);
        check(&[(TRACEPARENT, "00-x"), (TRACESTATE, "a=1")], 0);
        for state in ["a", "A=1", "a=", "=1", "a=1=2", "a=1,a=2", "a=\t", "a b=1", "-a=1"] {
            check(&[good.clone(), (TRACESTATE, state)], 1);
        }
        let long = format!("a={}", "x".repeat(257));
        check(&[good.clone(), (TRACESTATE, &long)], 1);
        let many: Vec<String> = (0..33).map(|n| format!("a{n}=1")).collect();
        check(&[good.clone(), (TRACESTATE, &many.join(","))], 1);
        check(&[good, (TRACESTATE, &many[..32].join(","))], 2);
    }
}
