//! Fields of requests and responses: what may be changed, and who may skip the lookup.

use forebay_semantics::tags::TagField;
use http::{HeaderName, HeaderValue};

use super::problem::Problem;
use super::raw::{Section, Value, said};
use super::text::{Refusal, refuse};
use super::words::{networks, secret};
use super::{FieldChanges, Skip};

/// Which fields nobody changes, and why.
pub(super) type Untouchable = &'static [(&'static [&'static str], &'static str)];

/// Framing is the connection's own (RFC 9112 section 6), hop-by-hop fields end at each hop (RFC
/// 9110 section 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
];

const FRAMING: &str = "the connection's own fields and the framing are the gateway's";

/// Fields of a request that are not changed.
pub(super) const REQUEST: Untouchable = &[
    (HOP_BY_HOP, FRAMING),
    (&["host"], "`host_field` says which host the origin sees"),
    (
        &[
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
            "if-range",
            "range",
            "expect",
        ],
        "the cache itself asks by it",
    ),
    (&["via", "cdn-loop"], "loops are found by it"),
];

/// Fields of a response that are not changed.
pub(super) const RESPONSE: Untouchable = &[
    (HOP_BY_HOP, FRAMING),
    (&["age", "date", "content-range", "via"], "it must stay true (RFC 9111 section 5.1)"),
];

/// Reads what is taken away and set.
pub(super) fn changes<'a>(
    table: &mut Section<'a>,
    key: &'a str,
    untouchable: Untouchable,
    changes: &mut FieldChanges,
) {
    let Some(mut table) = table.section(key) else { return };
    let name = |text: &str| changeable(text, untouchable);
    if let Some(names) = table.list("remove", said(name)) {
        changes.remove = names.into_iter().map(|name| name.value).collect();
    }
    let pairs = table.value("set").and_then(|value| {
        table.accept("set", value, |value| {
            value.table().ok_or_else(|| value.is_not("a table such as { x-from = \"forebay\" }"))
        })
    });
    if let Some(pairs) = pairs {
        changes.set.clear();
        for (field, value) in Section::pairs(pairs.value) {
            let value = table.accept("set", value, field_value);
            match name(field.value) {
                Ok(name) => changes.set.extend(value.map(|value| (name, value.value))),
                Err(refusal) => {
                    let shown = field.value.escape_debug();
                    let message = format!("`set` cannot set `{shown}`: {}", refusal.why);
                    let help = refusal.allowed;
                    table.findings().add(Problem { message, help, place: field.place });
                }
            }
        }
    }
    table.finish();
}

fn changeable(text: &str, untouchable: Untouchable) -> Result<HeaderName, Refusal> {
    let name = field_name(text)?;
    match untouchable.iter().find(|(names, _)| names.contains(&name.as_str())) {
        Some((_, why)) => Err(Refusal { why: (*why).to_owned(), allowed: None }),
        None => Ok(name),
    }
}

fn field_name(text: &str) -> Result<HeaderName, Refusal> {
    let refused = "a field's name is letters, digits and -_.~ (RFC 9110 section 5.1)";
    HeaderName::from_bytes(text.as_bytes()).or_else(|_| refuse("no field has such a name", refused))
}

fn field_value(value: Value<'_>) -> Result<HeaderValue, Refusal> {
    let text = value.text()?;
    let is_trimmed = text.trim_matches([' ', '\t']) == text;
    let is_visible = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    match HeaderValue::from_str(text) {
        Ok(value) if is_trimmed && is_visible => Ok(value),
        Ok(_) | Err(_) => refuse(
            "no field has such a value",
            "visible ASCII with blanks between (RFC 9110 section 5.5)",
        ),
    }
}

/// A targeted field (RFC 9213 section 2).
pub(super) fn targeted(text: &str) -> Result<HeaderName, Refusal> {
    let name = field_name(text)?;
    if name == http::header::CACHE_CONTROL {
        return refuse("it always counts, after these", "write the targeted fields only");
    }
    Ok(name)
}

/// A request field that may be looked for.
pub(super) fn request_field(text: &str) -> Result<HeaderName, Refusal> {
    changeable(text, REQUEST)
}

/// A field that names tags.
pub(super) fn tag_field(text: &str) -> Result<TagField, Refusal> {
    changeable(text, RESPONSE).map(TagField::named)
}

/// Who may skip the lookup: `off`, or a table of `field`, `secret` and `peers`.
pub(super) fn skip(table: &mut Section<'_>, skip: &mut Option<Skip>) {
    let Some(value) = table.value("skip") else { return };
    if value.as_text() == Some("off") {
        *skip = None;
        return;
    }
    let is_table = |value: Value<'_>| match value.table() {
        Some(_) => Ok(()),
        None => {
            Err(value.is_not("\"off\" or a table such as { field = \"x-skip\", secret = \"…\" }"))
        }
    };
    if table.accept("skip", value, is_table).is_none() {
        return;
    }
    if let Some(table) = table.section("skip") {
        *skip = skip_table(table);
    }
}

fn skip_table(mut table: Section<'_>) -> Option<Skip> {
    let is_field_said = table.value("field").is_some();
    let field = table.read("field", said(request_field));
    let is_guard_said = table.value("secret").is_some() || table.value("peers").is_some();
    let secret = table.read("secret", said(secret)).map(|secret| secret.value);
    let peers = networks(&mut table, "peers").unwrap_or_default();
    if !is_field_said {
        table.findings().add(Problem::at(table.place(), "`skip` has no `field` to listen for"));
    }
    // P1.9: whoever may skip the lookup may flood the origin.
    if !is_guard_said || (secret.is_none() && peers.is_empty() && table.value("secret").is_none()) {
        let message =
            "`skip` needs a `secret` or `peers`: without them anyone could flood the origin";
        table.findings().add(Problem::at(table.place(), message));
    }
    table.finish();
    Some(Skip { field: field?.value, secret, peers })
}
