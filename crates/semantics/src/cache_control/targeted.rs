//! Targeted fields: cache directives as a dictionary of structured fields (RFC 9213).
//!
//! A field that does not parse, or is empty, is as good as absent. A member of the wrong type
//! counts as the same directive badly written would: a lifetime is over, a permission is not
//! given, a prohibition stands.

use http::HeaderName;
use http::header::HeaderMap;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::{Argument, CacheControl, Directive, DirectiveSource};

/// What a targeted field says, when it says anything.
pub(super) fn read(fields: &HeaderMap, name: &HeaderName) -> Option<CacheControl> {
    let mut lines = fields.get_all(name).into_iter();
    let mut text = lines.next()?.as_bytes().to_vec();
    for line in lines {
        text.extend_from_slice(b", ");
        text.extend_from_slice(line.as_bytes());
    }
    let dictionary: Dictionary = Parser::new(&text).parse().ok()?;
    if dictionary.is_empty() {
        return None;
    }
    let mut found = CacheControl { source: DirectiveSource::Targeted, ..CacheControl::default() };
    for (name, member) in &dictionary {
        hear(&mut found, name.as_str().as_bytes(), member);
    }
    Some(found)
}

fn hear(found: &mut CacheControl, name: &[u8], member: &ListEntry) {
    let ListEntry::Item(item) = member else {
        return found.hear(Directive { name, argument: Argument::Malformed });
    };
    match &item.bare_item {
        // `no-store=?0` says that the directive is not there.
        BareItem::Boolean(false) => {}
        BareItem::Boolean(true) => found.hear(Directive { name, argument: Argument::None }),
        BareItem::Integer(number) => {
            let text = number.to_string();
            found.hear(Directive { name, argument: Argument::Text(text.as_bytes()) });
        }
        // A string or a token can name fields, but is no number (RFC 9213 section 2.1).
        BareItem::String(text) => hear_text(found, name, text.as_str()),
        BareItem::Token(text) => hear_text(found, name, text.as_str()),
        _ => found.hear(Directive { name, argument: Argument::Malformed }),
    }
}

fn hear_text(found: &mut CacheControl, name: &[u8], text: &str) {
    let argument = match name {
        b"private" | b"no-cache" => Argument::Text(text.as_bytes()),
        _ => Argument::Malformed,
    };
    found.hear(Directive { name, argument });
}
