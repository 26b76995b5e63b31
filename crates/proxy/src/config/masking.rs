//! Hides secrets in a file's text, so that no picture of a line shows one.
//!
//! It does not ask the parser: a secret is hidden in a file that is no TOML as well. What is hidden is
//! replaced character by character, by ones of the same length, so that every place stays where it is.

use std::ops::Range;

/// Words in the names of keys whose values are hidden, and of which none ends like a file's.
const SECRET_WORDS: [&str; 3] = ["secret", "token", "password"];

/// Bytes behind a scheme in which a user may stand.
const USER_BYTES_MAX: usize = 4096;

/// The text with its secrets hidden.
pub(crate) fn masked(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> = Vec::new();
    let mut until = 0;
    for (at, _) in text.match_indices('=') {
        // What is hidden already is not read again, or a long file would take for ever.
        if at >= until && is_secret(key_before(&text[..at])) {
            let value = value_after(text, at + 1);
            until = value.end;
            hidden.push(value);
        }
    }
    hidden.extend(text.match_indices("://").map(|(at, _)| user_after(text, at)));
    hidden.sort_by_key(|range| range.start);
    without(text, &hidden)
}

/// The text without these ranges, which are in the order of their beginnings.
fn without(text: &str, hidden: &[Range<usize>]) -> String {
    let mut hidden = hidden.iter().peekable();
    let mut until = 0;
    let mark_hidden = |(at, c)| {
        while let Some(range) = hidden.next_if(|range| range.start <= at) {
            until = until.max(range.end);
        }
        if at < until { mark(c) } else { c }
    };
    text.char_indices().map(mark_hidden).collect()
}

/// The key that ends here.
fn key_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t', '"', '\'']);
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let begin = text
        .rfind(|c: char| !is_key(c))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[begin..]
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_named = SECRET_WORDS.iter().any(|word| key.contains(word)) && !key.ends_with("_file");
    is_named || key == "url"
}

/// What the value after a `=` says, without its quotes.
fn value_after(text: &str, from: usize) -> Range<usize> {
    let begin = from + text[from..].len() - text[from..].trim_start_matches([' ', '\t']).len();
    let value = &text[begin..];
    for quote in ["\"\"\"", "'''", "\"", "'", "["] {
        let Some(rest) = value.strip_prefix(quote) else { continue };
        let begin = begin + quote.len();
        let closing = if quote == "[" { "]" } else { quote };
        let line = rest.find('\n').unwrap_or(rest.len());
        let until = match quote {
            "\"" | "'" => closing_quote(&rest[..line], quote).unwrap_or(line),
            _ => rest.find(closing).unwrap_or(rest.len()),
        };
        return begin..begin + until;
    }
    begin..begin + value.find('\n').unwrap_or(value.len())
}

/// Where a text ends: at the first quote that no backslash goes before.
fn closing_quote(text: &str, quote: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let is_end = !is_escaped && quote.starts_with(c);
        is_escaped = !is_escaped && c == '\\' && quote == "\"";
        is_end.then_some(at)
    })
}

/// What may be a user and a password behind a scheme: all that stands before the last `@`, and in a
/// URL of Redis everything.
fn user_after(text: &str, colon: usize) -> Range<usize> {
    let begin = colon + "://".len();
    let rest = &text[begin..];
    let rest = &rest[..rest.floor_char_boundary(USER_BYTES_MAX)];
    let rest = &rest[..rest.find(['"', '\'', '\n']).unwrap_or(rest.len())];
    let scheme = text[..colon].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '+').next();
    let is_redis = scheme.is_some_and(|scheme| scheme.to_ascii_lowercase().starts_with("redis"));
    if is_redis {
        return begin..begin + rest.len();
    }
    begin..begin + rest.rfind('@').unwrap_or(0)
}

/// A mark as long as the character that it hides.
fn mark(hidden: char) -> char {
    match (hidden, hidden.len_utf8()) {
        ('\n', _) => '\n',
        (_, 1) => '*',
        (_, 2) => '·',
        (_, 3) => '•',
        (_, _) => '🞄',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_hidden_where_they_stand() {
        let check = |text: &str, shown: &str| assert_eq!(masked(text), shown, "{text}");
        check("secret = \"abc\" # x", "secret = \"***\" # x");
        check("skip = { secret = 'ab', peers = [] }", "skip = { secret = '**', peers = [] }");
        check("admin_token = \"a\\\"b\"\nname = \"c\"", "admin_token = \"****\"\nname = \"c\"");
        check("password = hunter2\nx = 1", "password = *******\nx = 1");
        check("password = \"hunter2\nx = 1", "password = \"*******\nx = 1");
        check("\"secret\" = \"\"\"a\nb\"\"\"", "\"secret\" = \"\"\"*\n*\"\"\"");
        check("secret = \"aä€🦀\"", "secret = \"*·•🞄\"");
        check("password_file = \"/a\"", "password_file = \"/a\"");
        check("url = \"me:pw@a:1\"", "url = \"*********\"");
        check("url = [\n\"a:pw@b\",\n]", "url = [\n*********\n]");
        check("x = \"redis://:pw@a/0\"", "x = \"redis://*******\"");
        check("to = \"http://a:b@c@d:1\"", "to = \"http://*****@d:1\"");
        check("to = \"http://d:1\"", "to = \"http://d:1\"");
    }

    proptest! {
        #[test]
        fn every_place_stays_where_it_is(text in "(secret ?= ?|[\"'\\[\\]\n@ä🦀]|redis://|\\PC){0,40}") {
            let masked = masked(&text);
            prop_assert_eq!(masked.len(), text.len());
            let ends = |text: &str| text.char_indices().map(|(at, _)| at).collect::<Vec<_>>();
            prop_assert_eq!(ends(&masked), ends(&text));
        }
    }
}
