//! What a JSON value in Redis says of a host: the same keys as a `[[route]]` of the file, read by the
//! same reader.
//!
//! Whoever may write routes into Redis is trusted with where a host's requests go, not with this
//! machine: what would reach its files, its sockets or its secrets stands in the file alone.

use serde_json::{Map, Value};
use toml::de::DeTable;

use super::defaults::StoredBody;
use super::raw::{Findings, Section};
use super::{HostPattern, MemberScheme, Problem, Route, routes};

/// Routes of one value: path prefixes of one host.
pub const ROUTES_MAX: usize = 64;

/// Members of one route of a value.
pub const MEMBERS_MAX: usize = 256;

/// Problems that a message tells of one value.
const PROBLEMS_TOLD: usize = 3;

/// Keys of a file's route that a value does not have, and why.
const REFUSED: [(&str, &str); 3] = [
    ("host", "the key in Redis names the host"),
    ("name", "a route in Redis is named after its host and path"),
    ("skip", "it holds a secret, and whoever skips the lookup can flood the origin"),
];

/// The same of its `upstream`.
const REFUSED_UPSTREAM: [(&str, &str); 1] =
    [("ca_file", "it names a file of this machine; set it in `[defaults.upstream]`")];

/// What each route of a value is.
const FORM: &str = "write an object such as {\"to\": \"http://10.0.0.5:3000\"}, with the keys of \
                    `[[route]]`, or a list of such objects, one a path";

/// The routes of a host that a JSON value means, or what was expected. They begin with `defaults`.
pub fn json_routes(
    host: &HostPattern,
    json: &Value,
    defaults: &Route,
) -> Result<Vec<Route>, String> {
    let objects = objects(json)?;
    let mut text = String::from("route = [");
    for object in objects {
        refuse_keys(object, "", &REFUSED)?;
        if let Some(Value::Object(upstream)) = object.get("upstream") {
            refuse_keys(upstream, "upstream.", &REFUSED_UPSTREAM)?;
        }
        write_table(object, &mut text)?;
        text.push(',');
    }
    text.push(']');
    let routes = read(&text, host, defaults)?;
    routes.iter().try_for_each(check_members)?;
    Ok(routes)
}

fn objects(json: &Value) -> Result<Vec<&Map<String, Value>>, String> {
    let list = match json {
        Value::Object(object) => return Ok(vec![object]),
        Value::Array(list) => list,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(FORM.to_owned());
        }
    };
    if list.is_empty() || list.len() > ROUTES_MAX {
        return Err(format!("it has {} routes; 1 to {ROUTES_MAX} are allowed", list.len()));
    }
    list.iter().map(|one| one.as_object().ok_or_else(|| FORM.to_owned())).collect()
}

fn refuse_keys(
    object: &Map<String, Value>,
    above: &str,
    refused: &[(&str, &str)],
) -> Result<(), String> {
    match refused.iter().find(|(key, _)| object.contains_key(*key)) {
        Some((key, why)) => Err(format!("`{above}{key}` is not for a route in Redis: {why}")),
        None => Ok(()),
    }
}

/// Reads the text as the file's is read.
fn read(text: &str, host: &HostPattern, defaults: &Route) -> Result<Vec<Route>, String> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.first() {
        return Err(format!("{}; {FORM}", error.message().replace('\n', "; ")));
    }
    let findings = Findings::default();
    let mut root = Section::new("", table.get_ref(), table.span(), &findings);
    // What memory admits is laid out at the start, so a value may keep less and not more.
    let most = defaults.stored_body_bytes_max;
    let stored = StoredBody { usual: most, longest: most };
    let defaults = Route { host: host.clone(), ..defaults.clone() };
    let routes = routes::tables(&mut root, &defaults, stored, &mut routes::Seen::default());
    let found = findings.into_list();
    match found.is_empty() {
        true => Ok(routes),
        false => Err(told(&found)),
    }
}

fn told(problems: &[Problem]) -> String {
    let one = |problem: &Problem| match &problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => problem.message.clone(),
    };
    problems.iter().take(PROBLEMS_TOLD).map(one).collect::<Vec<_>>().join("; ")
}

fn check_members(route: &Route) -> Result<(), String> {
    let members = &route.upstream.members;
    if members.len() > MEMBERS_MAX {
        return Err(format!("`to` has {} members; at most {MEMBERS_MAX}", members.len()));
    }
    match members.iter().any(|member| member.scheme == MemberScheme::Unix) {
        true => Err(UNIX_REFUSED.to_owned()),
        false => Ok(()),
    }
}

/// Why no value leads to a Unix socket.
pub const UNIX_REFUSED: &str =
    "`unix:` is not for a route in Redis: it would reach any socket of this machine";

/// An object as an inline table (TOML 1.0). Nesting is bounded by the parser of JSON.
fn write_table(object: &Map<String, Value>, text: &mut String) -> Result<(), String> {
    text.push('{');
    for (place, (key, value)) in object.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        write_string(key, text);
        text.push('=');
        write_value(key, value, text)?;
    }
    text.push('}');
    Ok(())
}

fn write_value(key: &str, value: &Value, text: &mut String) -> Result<(), String> {
    match value {
        Value::Null => {
            return Err(format!("`{}` is null; leave it out", key.escape_debug()));
        }
        Value::Bool(word) => text.push_str(if *word { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(said) => write_string(said, text),
        Value::Array(list) => {
            text.push('[');
            for value in list {
                write_value(key, value, text)?;
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(object) => write_table(object, text)?,
    }
    Ok(())
}

/// A basic string: TOML escapes what JSON does, and DEL.
fn write_string(said: &str, text: &mut String) {
    text.push('"');
    for c in said.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}
