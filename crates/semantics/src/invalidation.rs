//! Question 5: what does a request spoil? (RFC 9111 section 4.4.)

use http::header::{self, HeaderMap};
use http::uri::{PathAndQuery, Uri};
use http::{StatusCode, uri};

use crate::request::Asked;

/// The URIs whose stored responses a response to an unsafe request spoils: its target, and what
/// `Location` and `Content-Location` say, on the same origin only. At most three; each begins as
/// the target does.
pub fn spoiled(asked: &Asked, target: &Uri, status: StatusCode, fields: &HeaderMap) -> Vec<Uri> {
    let is_success = status.is_success() || status.is_redirection();
    if !asked.is_unsafe() || !is_success {
        return Vec::new();
    }
    let mut spoiled = vec![target.clone()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let said = fields.get(name).and_then(|value| resolve(target, value.as_bytes()));
        spoiled.extend(said.filter(|uri| !spoiled.contains(uri)));
    }
    spoiled
}

/// The URI that a reference means to who was asked for `target` (RFC 3986 section 5.2); nothing
/// when it is on another origin, or is none.
pub(crate) fn resolve(target: &Uri, reference: &[u8]) -> Option<Uri> {
    let reference = str::from_utf8(reference).ok()?.trim_ascii();
    let reference = reference.split('#').next().unwrap_or_default();
    if let Some(rest) = reference.strip_prefix("//") {
        let scheme = target.scheme_str().unwrap_or("http");
        return on_same_origin(target, &format!("{scheme}://{rest}").parse().ok()?);
    }
    if has_scheme(reference) {
        return on_same_origin(target, &reference.parse().ok()?);
    }
    with_path(target, &merged(target, reference))
}

fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']);
    end.is_some_and(|end| end > 0 && reference[end..].starts_with(':'))
}

/// RFC 9110 section 4.3.1: scheme, host and port.
fn on_same_origin(target: &Uri, other: &Uri) -> Option<Uri> {
    let is_same = target.scheme()? == other.scheme()?
        && target.host()?.eq_ignore_ascii_case(other.host()?)
        && port_of(target)? == port_of(other)?;
    let path = without_dots(other.path());
    let path_and_query = match other.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    is_same.then(|| with_path(target, &path_and_query))?
}

fn port_of(uri: &Uri) -> Option<u16> {
    match (uri.port_u16(), uri.scheme_str()?) {
        (Some(port), _) => Some(port),
        (None, "http") => Some(80),
        (None, "https") => Some(443),
        (None, _) => None,
    }
}

/// A relative reference's path and query.
fn merged(target: &Uri, reference: &str) -> String {
    let path_end = reference.find('?').unwrap_or(reference.len());
    let (path, query) = reference.split_at(path_end);
    if reference.is_empty() {
        return target.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    }
    if path.is_empty() {
        return format!("{}{query}", target.path());
    }
    let folder = match target.path().rfind('/') {
        Some(end) if !path.starts_with('/') => &target.path()[..=end],
        _ => "",
    };
    format!("{}{query}", without_dots(&format!("{folder}{path}")))
}

/// RFC 3986 section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments = path.strip_prefix('/').unwrap_or(path).split('/');
    let mut ends_in_folder = false;
    for segment in segments {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if ends_in_folder {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

fn with_path(target: &Uri, path_and_query: &str) -> Option<Uri> {
    let mut parts = uri::Parts::default();
    parts.scheme = target.scheme().cloned();
    parts.authority = target.authority().cloned();
    parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests;
