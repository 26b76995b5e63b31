//! The cache key: which parts of a request tell stored responses apart (RFC 9111 section 2).
//!
//! A key is bytes. Every part in it says its kind and its length, so two requests that differ in
//! any chosen part never make the same key, whatever bytes they hold. Nothing is decoded and no
//! path is tidied up: the key is made of what the origin will see.

mod nearest;
mod read;
mod target;
#[cfg(test)]
mod tests;
mod words;

use http::{HeaderMap, Method, header};

pub use nearest::nearest;
pub use read::KeyTarget;
pub use target::{HostPort, Scheme, TargetError, TargetParts, host_and_port};
pub use words::TemplateError;

/// Which parts of a request make its key. Scheme, host and port are always in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The method (HEAD counts as GET).
    Method,
    /// The path, byte for byte.
    Path,
    /// The query and how it is read.
    Query(Query),
    /// A request field's lines.
    Field(http::HeaderName),
    /// The values of the cookies of one name.
    Cookie(String),
}

/// How the query goes into the key.
///
/// Whatever stays out of the key still reaches the origin, so leave out only what cannot change
/// the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// All of it, byte for byte.
    Whole,
    /// All of it, its parameters sorted by name; those of one name stay in their order.
    Sorted,
    /// Only these parameters, sorted, and those that an origin might take for one of them.
    Only(Vec<String>),
    /// All but these parameters, sorted.
    Without(Vec<String>),
}

impl Default for Template {
    fn default() -> Self {
        Template { parts: vec![Part::Method, Part::Path, Part::Query(Query::Whole)] }
    }
}

impl Template {
    /// Appends the key of a request to `out`.
    ///
    /// `body_digest` is that of the request's body where the method is a listed one; it is then in
    /// the key whether or not the template has a word for it.
    pub fn key(
        &self,
        target: &TargetParts<'_>,
        method: &Method,
        fields: &HeaderMap,
        body_digest: Option<&[u8; 32]>,
        out: &mut Vec<u8>,
    ) {
        write_authority(target, out);
        for part in &self.parts {
            match part {
                Part::Method => write_method(method, out),
                Part::Path => write_piece(Kind::Path, target.path.as_bytes(), out),
                Part::Query(query) => write_query(query, target.query.map(str::as_bytes), out),
                Part::Field(name) => write_field(name, fields, out),
                Part::Cookie(name) => write_cookie(name, fields, out),
            }
        }
        if let Some(digest) = body_digest {
            write_piece(Kind::Body, digest, out);
        }
    }
}

/// What a piece of a key is; its first byte.
#[derive(Clone, Copy)]
enum Kind {
    Http = 1,
    Https,
    Method,
    Path,
    QueryAbsent,
    QueryWhole,
    QueryParameters,
    Field,
    Cookie,
    Body,
}

fn write_authority(target: &TargetParts<'_>, out: &mut Vec<u8>) {
    let kind = match target.scheme {
        Scheme::Http => Kind::Http,
        Scheme::Https => Kind::Https,
    };
    write_piece(kind, target.host().as_bytes(), out);
    out.extend_from_slice(&target.port.to_be_bytes());
}

fn write_method(method: &Method, out: &mut Vec<u8>) {
    // A stored response to GET answers HEAD too (RFC 9110 section 9.3.2).
    let keyed = if method == Method::HEAD { &Method::GET } else { method };
    write_piece(Kind::Method, keyed.as_str().as_bytes(), out);
}

fn write_query(mode: &Query, query: Option<&[u8]>, out: &mut Vec<u8>) {
    match (mode, query) {
        (Query::Whole, None) => out.push(Kind::QueryAbsent as u8),
        (Query::Whole, Some(query)) => write_piece(Kind::QueryWhole, query, out),
        (Query::Sorted, query) => write_parameters(query, |_| true, out),
        (Query::Only(names), query) => write_parameters(query, |p| may_be_listed(p, names), out),
        (Query::Without(names), query) => write_parameters(query, |p| !is_listed(p, names), out),
    }
}

/// Writes the chosen parameters, sorted by name. They are split at `&` alone.
fn write_parameters(query: Option<&[u8]>, chosen: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) {
    let all = query.into_iter().flat_map(|query| query.split(|&byte| byte == b'&'));
    let mut parameters: Vec<&[u8]> = all.filter(|parameter| chosen(parameter)).collect();
    parameters.sort_by_key(|parameter| name_of(parameter));
    out.push(Kind::QueryParameters as u8);
    write_number(parameters.len(), out);
    for parameter in parameters {
        write_bytes(parameter, out);
    }
}

fn name_of(parameter: &[u8]) -> &[u8] {
    parameter.split(|&byte| byte == b'=').next().unwrap_or(parameter)
}

/// Whether a parameter is one of these and nothing else besides. One that holds `;` may be two
/// parameters to an origin (parameter cloaking), so it is never left out.
fn is_listed(parameter: &[u8], names: &[String]) -> bool {
    let name = name_of(parameter);
    !parameter.contains(&b';') && names.iter().any(|listed| listed.as_bytes() == name)
}

/// Whether an origin might take this parameter for one of these: by another case, by an escape, by
/// a separator of its own, or by a byte that some frameworks rewrite (`lang[]`, `a.b`).
fn may_be_listed(parameter: &[u8], names: &[String]) -> bool {
    let name = name_of(parameter);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    parameter.contains(&b';')
        || !name.iter().all(is_plain)
        || names.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(name))
}

/// Writes a field's lines one by one: joined with a comma, one line could pass for two.
fn write_field(name: &http::HeaderName, fields: &HeaderMap, out: &mut Vec<u8>) {
    write_piece(Kind::Field, name.as_str().as_bytes(), out);
    let lines = fields.get_all(name);
    write_number(lines.iter().count(), out);
    for line in lines {
        write_bytes(line.as_bytes(), out);
    }
}

/// Writes every value of a cookie: which of several counts is another one for each origin.
fn write_cookie(name: &str, fields: &HeaderMap, out: &mut Vec<u8>) {
    write_piece(Kind::Cookie, name.as_bytes(), out);
    let values = || cookies(name.as_bytes(), fields);
    write_number(values().count(), out);
    for value in values() {
        write_bytes(value, out);
    }
}

/// The values of the cookies of exactly this name (RFC 6265 section 5.4).
fn cookies<'a>(name: &[u8], fields: &'a HeaderMap) -> impl Iterator<Item = &'a [u8]> {
    let lines = fields.get_all(header::COOKIE).into_iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter_map(move |pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        (pair[..equals].trim_ascii() == name).then(|| pair[equals + 1..].trim_ascii())
    })
}

fn write_piece(kind: Kind, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind as u8);
    write_bytes(bytes, out);
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    write_number(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Seven bits a byte, the lowest first: most lengths take one byte.
fn write_number(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
