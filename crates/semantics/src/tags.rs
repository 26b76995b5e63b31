//! The names by which an operator or an origin purges many responses at once: `Surrogate-Key`,
//! `Cache-Tag` and RFC 9875's `Cache-Groups`.
//!
//! A response's tags are kept beside its fields, which clients see without them. A list that is
//! longer than what is kept is never cut: such a response is not stored.

use http::header::{HeaderMap, HeaderName};
use sfv::{BareItem, List, ListEntry, Parser};

use crate::fields::members_of;
use crate::policy::Policy;

/// Names on one response. RFC 9875 section 2 asks for 32 at least.
pub const TAGS_MAX: usize = 1_000;

/// Bytes of all names on one response.
pub const TAG_BYTES_MAX: usize = 16 << 10;

/// What says which responses an unsafe request's response spoils (RFC 9875 section 3).
const GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// A response field with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagField {
    /// The field.
    pub name: HeaderName,
    /// How its names are written.
    pub form: TagForm,
}

/// How a field writes its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagForm {
    /// Parted by spaces, as in `Surrogate-Key`.
    Words,
    /// Parted by commas, as in `Cache-Tag`.
    List,
    /// A list of strings, as in `Cache-Groups` (RFC 9875): groups of one origin.
    Groups,
}

impl TagField {
    /// A field of this name, written as its name is known to be; with commas where it is not known.
    pub fn named(name: HeaderName) -> Self {
        let form = match name.as_str() {
            "surrogate-key" | "xkey" => TagForm::Words,
            "cache-groups" => TagForm::Groups,
            _ => TagForm::List,
        };
        TagField { name, form }
    }
}

/// The names on one response, in the order in which they were said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Option<Box<str>>);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a group of its origin as well.
    pub kind: TagKind,
}

/// Who can purge by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Operators.
    Tag,
    /// Operators, and the response's own origin by `Cache-Group-Invalidation`.
    Group,
}

/// The names are too many, too long, or not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept;

impl Tags {
    /// Those that a response's fields say.
    pub fn of(fields: &HeaderMap, policy: &Policy) -> Result<Self, Unkept> {
        let mut found = Found::default();
        for field in &policy.tag_fields {
            match field.form {
                TagForm::Words => {
                    let lines = fields.get_all(&field.name).into_iter();
                    let words =
                        lines.flat_map(|line| line.as_bytes().split(u8::is_ascii_whitespace));
                    found.add_all(words.filter(|word| !word.is_empty()), TagKind::Tag)?;
                }
                TagForm::List => found.add_all(members_of(fields, &field.name), TagKind::Tag)?,
                TagForm::Groups => {
                    let groups = strings(fields, &field.name);
                    found.add_all(groups.iter().map(String::as_bytes), TagKind::Group)?;
                }
            }
        }
        Ok(found.tags())
    }

    /// Whether any of the fields that say them is there.
    pub(crate) fn are_said(fields: &HeaderMap, policy: &Policy) -> bool {
        policy.tag_fields.iter().any(|field| fields.contains_key(&field.name))
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = Tag<'_>> {
        let lines = self.0.as_deref().unwrap_or_default().split_terminator('\n');
        lines.filter_map(|line| {
            let (kind, name) = line.split_at_checked(1)?;
            let kind = if kind == GROUP { TagKind::Group } else { TagKind::Tag };
            Some(Tag { name, kind })
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// As they are stored.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Reads what [`Tags::as_str`] gave, and nothing else.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        let mut found = Found::default();
        for line in str::from_utf8(bytes).ok()?.split_inclusive('\n') {
            let (kind, name) = line.strip_suffix('\n')?.split_at_checked(1)?;
            let kind = match kind {
                GROUP => TagKind::Group,
                TAG => TagKind::Tag,
                _ => return None,
            };
            found.add(name.as_bytes(), kind).ok()?;
        }
        let tags = found.tags();
        (tags.as_str().as_bytes() == bytes).then_some(tags)
    }

    pub(crate) fn weight_bytes(&self) -> usize {
        self.as_str().len()
    }
}

/// Before a name that is a tag alone.
const TAG: &str = "t";
/// Before a name that is a group.
const GROUP: &str = "g";

/// What has been found until now: a kind and a name a line, since no name holds a line's end.
#[derive(Default)]
struct Found {
    lines: String,
    count: usize,
}

impl Found {
    fn add_all<'a>(
        &mut self,
        names: impl Iterator<Item = &'a [u8]>,
        kind: TagKind,
    ) -> Result<(), Unkept> {
        for name in names {
            self.add(name, kind)?;
        }
        Ok(())
    }

    fn add(&mut self, name: &[u8], kind: TagKind) -> Result<(), Unkept> {
        let name = str::from_utf8(name).map_err(|_| Unkept)?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Unkept);
        }
        let letter = match kind {
            TagKind::Tag => TAG,
            TagKind::Group => GROUP,
        };
        if self.lines.len() + name.len() + 2 > TAG_BYTES_MAX || self.count == TAGS_MAX {
            return Err(Unkept);
        }
        self.lines.extend([letter, name, "\n"]);
        self.count += 1;
        Ok(())
    }

    fn tags(self) -> Tags {
        Tags((!self.lines.is_empty()).then(|| self.lines.into_boxed_str()))
    }
}

/// The groups of its origin that a response to an unsafe request spoils (RFC 9875 section 3), as
/// `invalidation` has found that it spoils anything.
pub fn spoiled_groups(fields: &HeaderMap) -> Vec<String> {
    strings(fields, &GROUP_INVALIDATION)
}

/// The strings of a structured list. One that does not parse, or has other members, is not there
/// (RFC 9651 section 4.2, RFC 9875 section 2).
fn strings(fields: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let mut joined = Vec::new();
    for line in fields.get_all(name) {
        if !joined.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(line.as_bytes());
    }
    if joined.is_empty() {
        return Vec::new();
    }
    let Ok(list) = Parser::new(&joined).parse::<List>() else { return Vec::new() };
    let string = |entry: ListEntry| match entry {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::String(string) => Some(String::from(string)),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    };
    list.into_iter().map(string).collect::<Option<Vec<_>>>().unwrap_or_default()
}

#[cfg(test)]
mod tests;
