//! Entity tags (RFC 9110 section 8.8.3): reading them, lists of them, and the two comparisons.
//!
//! What real senders write is read as far as it has one meaning. What is not well formed counts as
//! weak, so that no bytes are ever joined on its word.

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName};

/// One entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag<'a> {
    /// Whether it vouches for every byte.
    pub strength: Strength,
    /// What stands between the quotes.
    pub opaque: &'a [u8],
}

/// What an entity tag vouches for (RFC 9110 section 8.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strength {
    /// Every byte.
    Strong,
    /// The meaning.
    Weak,
}

/// How tags are compared (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Both are strong and their opaque bytes are equal.
    Strong,
    /// Their opaque bytes are equal.
    Weak,
}

impl<'a> EntityTag<'a> {
    /// Reads a field value that is one tag.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut tags = Tags { rest: value };
        let tag = tags.next()?;
        tags.next().is_none().then_some(tag)
    }

    /// Whether two tags are the same.
    pub fn matches(self, other: EntityTag<'_>, comparison: Comparison) -> bool {
        let strong = self.strength == Strength::Strong && other.strength == Strength::Strong;
        self.opaque == other.opaque && (strong || comparison == Comparison::Weak)
    }
}

/// The tags of one line of `If-Match` or `If-None-Match`; what is no tag is left out.
#[derive(Clone, Debug)]
pub struct Tags<'a> {
    rest: &'a [u8],
}

/// The tags in a list.
pub fn tags(line: &[u8]) -> Tags<'_> {
    Tags { rest: line }
}

impl<'a> Iterator for Tags<'a> {
    type Item = EntityTag<'a>;

    fn next(&mut self) -> Option<EntityTag<'a>> {
        while !self.rest.is_empty() {
            let (member, rest) = split_member(self.rest);
            self.rest = rest;
            if let Some(tag) = read_member(member) {
                return Some(tag);
            }
        }
        None
    }
}

/// Splits at the first comma outside quotes; a quote that is never closed is no quote.
fn split_member(list: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < list.len() {
        match list[at] {
            b',' => return (&list[..at], &list[at + 1..]),
            b'"' => at += list[at + 1..].iter().position(|&b| b == b'"').map_or(1, |end| end + 2),
            _ => at += 1,
        }
    }
    (list, &[])
}

fn read_member(member: &[u8]) -> Option<EntityTag<'_>> {
    let member = member.trim_ascii();
    let (strength, quoted) = match member {
        [b'W' | b'w', b'/', quoted @ ..] => (Strength::Weak, quoted),
        _ => (Strength::Strong, member),
    };
    match quoted {
        [b'"', opaque @ .., b'"'] if !opaque.contains(&b'"') => {
            Some(EntityTag { strength, opaque })
        }
        [] => None,
        // A bare word: many senders forget the quotes. It has one meaning, but vouches for nothing.
        _ if !quoted.contains(&b'"') => {
            Some(EntityTag { strength: Strength::Weak, opaque: quoted })
        }
        _ => None,
    }
}

/// Whether a field that lists tags names the one of a stored response, or says `*`, which any
/// response fulfils. An absent field names none.
pub fn lists(
    fields: &HeaderMap,
    name: &HeaderName,
    stored: Option<EntityTag<'_>>,
    comparison: Comparison,
) -> bool {
    let mut lines = fields.get_all(name).into_iter();
    if let (Some(only), None) = (lines.next(), lines.next())
        && only.as_bytes().trim_ascii() == b"*"
    {
        return true;
    }
    let Some(stored) = stored else { return false };
    let lines = fields.get_all(name).into_iter();
    lines.flat_map(|line| tags(line.as_bytes())).any(|tag| tag.matches(stored, comparison))
}
