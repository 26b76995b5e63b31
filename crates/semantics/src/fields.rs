//! Fields: a stored head's as one block of bytes, which of them are never stored, and lists.
//!
//! A block is in wire form already, so that a hit writes it to a socket as it is (RFC 9110
//! section 5, RFC 9111 section 3.1).

mod present;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

pub use present::{Present, Sought};

/// Bytes of fields that a block from elsewhere may have.
pub const FIELD_BYTES_MAX: usize = 256 << 10;

/// The longest name that a map takes.
const FIELD_NAME_BYTES_MAX: usize = (1 << 16) - 1;

/// Lines that a block from elsewhere may have: far fewer than a map can hold.
pub const FIELD_LINES_MAX: usize = 1024;

/// A head's fields as lines `name: value\r\n`, names in lower case, in one allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldBlock(Bytes);

impl FieldBlock {
    /// A block that is in wire form already: whole lines, names in lower case.
    pub fn from_wire(lines: Bytes) -> Self {
        FieldBlock(lines)
    }

    /// A block that lay where others may have written to it: `None` where a line is not as this
    /// type writes it, or is of a field that is never stored, or is beyond a bound. It shares their
    /// memory.
    pub fn from_stored(lines: Bytes) -> Option<Self> {
        if lines.len() > FIELD_BYTES_MAX {
            return None;
        }
        let mut rest = &lines[..];
        let mut count = 0;
        while !rest.is_empty() {
            count += 1;
            let name_len = rest.iter().position(|byte| !is_in(*byte, LOWER_NAME))?;
            let (name, after) = rest.split_at(name_len);
            let after = after.strip_prefix(b": ")?;
            let value_len = after.iter().position(|byte| !is_in(*byte, VALUE))?;
            rest = after[value_len..].strip_prefix(b"\r\n")?;
            let is_name = (1..=FIELD_NAME_BYTES_MAX).contains(&name_len);
            if count > FIELD_LINES_MAX || !is_name || never_stored(name) {
                return None;
            }
        }
        Some(FieldBlock(lines))
    }

    /// All of these fields. The order of names is the map's, that of a name's lines is kept.
    pub fn from_map(fields: &HeaderMap) -> Self {
        Self::from_map_where(fields, |_| true)
    }

    /// Those of these fields whose name passes.
    pub fn from_map_where(fields: &HeaderMap, passes: impl Fn(&HeaderName) -> bool) -> Self {
        let lines = || fields.iter().filter(|(name, _)| passes(name));
        let length = lines().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let mut bytes = BytesMut::with_capacity(length);
        for (name, value) in lines() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        FieldBlock(bytes.freeze())
    }

    /// Each line's name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        Lines(&self.0)
    }

    /// The first line's value under this name, which is in lower case.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The values of all lines under this name, which is in lower case.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The fields as a map; values share the block's memory.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in self.iter() {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_maybe_shared(self.0.slice_ref(value));
            if let (Ok(name), Ok(value)) = (name, value) {
                map.append(name, value);
            }
        }
        map
    }

    /// The lines as they go over the wire.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Their length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no line at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is left of a block.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // No value holds a carriage return, so the next one ends the line.
        let end = self.0.iter().position(|byte| *byte == b'\r')?;
        let line = &self.0[..end];
        self.0 = self.0.get(end + 2..).unwrap_or_default();
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = str::from_utf8(&line[..colon]).ok()?;
        Some((name, line.get(colon + 2..).unwrap_or_default()))
    }
}

/// Whether a field is about one connection, or about the exchange with this cache alone, and so
/// is never stored (RFC 9111 section 3.1, RFC 9110 section 7.6.1).
///
/// `Trailer` goes too: a stored body is sent with its length, and promises nothing.
/// `Content-Length` is said by who sends. `Age` is in the stored age (RFC 9111 section 4.2.3).
pub fn is_never_stored(name: &HeaderName) -> bool {
    never_stored(name.as_str().as_bytes())
}

// One of these by its length first, and then one comparison: this is asked for each field of each head.
fn never_stored(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection"
            | b"te"
            | b"trailer"
            | b"transfer-encoding"
            | b"upgrade"
            | b"proxy-authenticate"
            | b"proxy-authorization"
            | b"content-length"
            | b"age"
            | b"keep-alive"
            | b"proxy-connection"
            | b"proxy-authentication-info"
    )
}

/// Whether a byte may stand in a token, such as a field's name (RFC 9110 section 5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// May stand in a name as a map takes it, in lower case.
const LOWER_NAME: u8 = 1;

/// May stand in a value as a map takes it: all but control characters that are no tabs (RFC 9110
/// section 5.5).
const VALUE: u8 = 2;

/// Where each byte may stand, so that a block is read in one walk with one look a byte.
static PLACES: [u8; 256] = {
    let mut places = [0; 256];
    let mut at = 0;
    while at < places.len() {
        let byte = at as u8;
        if is_token_byte(byte) && !byte.is_ascii_uppercase() {
            places[at] |= LOWER_NAME;
        }
        if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
            places[at] |= VALUE;
        }
        at += 1;
    }
    places
};

fn is_in(byte: u8, places: u8) -> bool {
    PLACES[usize::from(byte)] & places != 0
}

/// Whether a field sets cookies, and so is meant for one client.
pub fn sets_cookies(name: &HeaderName) -> bool {
    *name == header::SET_COOKIE || name.as_str() == "set-cookie2"
}

/// The fields that `Connection` names: they are about one connection too (RFC 9110 section 7.6.1).
pub fn named_by_connection(fields: &HeaderMap) -> NameSet {
    let lines = fields.get_all(header::CONNECTION).into_iter().map(HeaderValue::as_bytes);
    let names = lines.filter(|line| !names_nothing(line)).flat_map(members);
    names.filter_map(|name| HeaderName::from_bytes(name).ok()).collect()
}

/// Most lines of `Connection` are one of these words, which name nothing that would go on otherwise:
/// `Keep-Alive` ends here in any case, and no field is called `Close` (RFC 9112 section 9.6).
fn names_nothing(line: &[u8]) -> bool {
    line.eq_ignore_ascii_case(b"keep-alive") || line.eq_ignore_ascii_case(b"close")
}

/// Field names, each once, found in logarithmic time however many somebody lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameSet(Vec<HeaderName>);

impl NameSet {
    /// Whether this name is among them.
    pub fn contains(&self, name: &HeaderName) -> bool {
        !self.is_empty() && self.place_of(name).is_ok()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In alphabetical order.
    pub fn as_slice(&self) -> &[HeaderName] {
        &self.0
    }

    fn place_of(&self, name: &HeaderName) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.as_str().cmp(name.as_str()))
    }
}

impl FromIterator<HeaderName> for NameSet {
    fn from_iter<T: IntoIterator<Item = HeaderName>>(names: T) -> Self {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        NameSet(names)
    }
}

impl IntoIterator for NameSet {
    type Item = HeaderName;
    type IntoIter = std::vec::IntoIter<HeaderName>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Extend<HeaderName> for NameSet {
    fn extend<T: IntoIterator<Item = HeaderName>>(&mut self, names: T) {
        for name in names {
            if let Err(place) = self.place_of(&name) {
                self.0.insert(place, name);
            }
        }
    }
}

/// The members of a list field over all its lines, without the empty ones (RFC 9110 section
/// 5.6.1).
pub fn members_of<'a>(
    fields: &'a HeaderMap,
    name: &'a HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    fields.get_all(name).into_iter().flat_map(|value| members(value.as_bytes()))
}

/// The members of a comma-separated list, trimmed, without the empty ones. A comma in a quoted
/// string parts nothing; a string that does not end takes the rest.
pub fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quotes = Quotes::default();
    list.split(move |byte| !quotes.covers(*byte) && *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Walks over a value and knows what stands in quotes (RFC 9110 section 5.6.4).
#[derive(Clone, Copy, Default)]
pub(crate) enum Quotes {
    /// Not in a quoted string.
    #[default]
    Outside,
    /// In a quoted string.
    Inside,
    /// In a quoted string, behind a backslash.
    Escaped,
}

impl Quotes {
    /// Whether the next byte belongs to a quoted string, its quotes included.
    pub(crate) fn covers(&mut self, byte: u8) -> bool {
        let before = *self;
        *self = match (before, byte) {
            (Quotes::Outside, b'"') => Quotes::Inside,
            (Quotes::Outside, _) | (Quotes::Inside, b'"') => Quotes::Outside,
            (Quotes::Inside, b'\\') => Quotes::Escaped,
            (Quotes::Inside | Quotes::Escaped, _) => Quotes::Inside,
        };
        !matches!((before, *self), (Quotes::Outside, Quotes::Outside))
    }
}

#[cfg(test)]
pub(crate) mod tests;
