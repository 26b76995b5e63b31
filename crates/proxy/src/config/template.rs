//! The key template: which parts of a request make its key.

use forebay_semantics::key::{Part, Query, Template};
use http::HeaderName;

use super::raw::Value;
use super::text::{Refusal, meant, refuse};

/// Parts of one key, and parameters of one part.
const PARTS_MAX: usize = 64;

const FORM: &str = "allowed: method, scheme, host, path, query, query:sorted, query:only(a,b), \
                    query:without(a,b), field:name, cookie:name";
const WORDS: &[&str] = &["method", "scheme", "host", "path", "query", "query:sorted"];

/// The template that a list of parts means.
pub(super) fn read(value: Value<'_>) -> Result<Template, Refusal> {
    let list = value.list();
    if list.is_empty() || list.len() > PARTS_MAX {
        return refuse("it has no part, or too many", format!("1 to {PARTS_MAX} parts; {FORM}"));
    }
    let mut parts = Vec::new();
    for value in list {
        let Some(text) = value.as_text() else {
            return Err(value.is_not("a list of texts such as [\"method\", \"path\", \"query\"]"));
        };
        // Scheme, host and port are in every key; who writes them says nothing wrong.
        let Some(part) = part(text)? else { continue };
        if parts.iter().any(|other| is_same(other, &part)) {
            return refuse(format!("`{text}` is in it twice"), FORM);
        }
        parts.push(part);
    }
    Ok(Template { parts })
}

/// One part; `None` for what is in every key.
fn part(text: &str) -> Result<Option<Part>, Refusal> {
    if let Some(list) = between(text, "query:only(") {
        return Ok(Some(Part::Query(Query::Only(parameters(list)?))));
    }
    if let Some(list) = between(text, "query:without(") {
        return Ok(Some(Part::Query(Query::Without(parameters(list)?))));
    }
    if let Some(name) = text.strip_prefix("field:") {
        return match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(Some(Part::Field(name))),
            Err(_) => refuse(format!("no field has the name `{}`", name.escape_debug()), FORM),
        };
    }
    if let Some(name) = text.strip_prefix("cookie:") {
        return Ok(Some(Part::Cookie(cookie(name)?)));
    }
    match text {
        "method" => Ok(Some(Part::Method)),
        "path" => Ok(Some(Part::Path)),
        "query" => Ok(Some(Part::Query(Query::Whole))),
        "query:sorted" => Ok(Some(Part::Query(Query::Sorted))),
        "scheme" | "host" => Ok(None),
        _ => refuse(format!("no part `{}`", text.escape_debug()), advice(text)),
    }
}

fn advice(text: &str) -> String {
    if let Some(name) = text.strip_prefix("header:") {
        return format!("did you mean `field:{}`? {FORM}", name.escape_debug());
    }
    match meant(text, WORDS, "").split_once('?') {
        Some((meant, _)) => format!("{meant}? {FORM}"),
        None => FORM.to_owned(),
    }
}

fn between<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    text.strip_prefix(opening)?.strip_suffix(')')
}

/// Names of parameters, byte for byte as they stand in a query.
fn parameters(list: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    let is_name = |name: &String| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"&=#".contains(&byte))
    };
    if names.len() > PARTS_MAX || !names.iter().all(is_name) {
        return refuse(
            format!("`({list})` is no list of parameters"),
            format!("1 to {PARTS_MAX} names as they stand in a query, with commas between them"),
        );
    }
    Ok(names)
}

/// A cookie's name (RFC 6265 section 4.1.1: a token).
fn cookie(name: &str) -> Result<String, Refusal> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => refuse(format!("no cookie has the name `{}`", name.escape_debug()), FORM),
    }
}

/// Whether both cannot stand in one key; the query is read in one way.
fn is_same(one: &Part, other: &Part) -> bool {
    one == other || matches!((one, other), (Part::Query(_), Part::Query(_)))
}
