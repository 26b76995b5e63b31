//! Requests off streams, as strict as those off HTTP/1, so that none becomes something else when it
//! is passed on as HTTP/1 (9113 8.2, 8.3, 10.3; 9114 4.2, 4.3, 10.3).

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::super::refusal::{Refusal, RefusalReason};
use super::super::target;
use crate::config::Limits;

/// Checks a request's head and puts its fields in the form that every service sees; its target.
pub(in super::super) fn checked(
    method: &Method,
    uri: Uri,
    fields: &mut HeaderMap,
    limits: &Limits,
) -> Result<Uri, Refusal> {
    if *method == Method::CONNECT && uri.authority().is_none() {
        return Err(Refusal::new(RefusalReason::Syntax, "CONNECT without :authority"));
    }
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Err(Refusal::new(RefusalReason::Method, "CONNECT and TRACE are not served here"));
    }
    check_fields(fields, limits)?;
    let target = checked_target(method, uri, fields, limits)?;
    join_cookies(fields)?;
    Ok(target)
}

/// Refuses a body that is said to be longer than it may be.
pub(in super::super) fn check_length(length: Option<u64>, limits: &Limits) -> Result<(), Refusal> {
    match length {
        Some(length) if length > limits.body_bytes_max => {
            Err(Refusal::new(RefusalReason::BodyTooLarge, "the request body is too long"))
        }
        Some(_) | None => Ok(()),
    }
}

/// A value never begins or ends with whitespace (9113 8.2.1; 9114 4.2 says no less).
pub(in super::super) fn is_padded(value: &[u8]) -> bool {
    let is_whitespace = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    is_whitespace(value.first()) || is_whitespace(value.last())
}

fn check_fields(fields: &HeaderMap, limits: &Limits) -> Result<(), Refusal> {
    if fields.len() > limits.fields_max {
        return Err(Refusal::new(RefusalReason::HeadTooLarge, "too many fields"));
    }
    if fields.values().any(|value| is_padded(value.as_bytes())) {
        let text = "a field value begins or ends with whitespace";
        return Err(Refusal::new(RefusalReason::Syntax, text));
    }
    if fields.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Refusal::new(RefusalReason::Framing, "Content-Length is said more than once"));
    }
    if let Some(expected) = fields.get(EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        let text = "the expectation is not 100-continue";
        return Err(Refusal::new(RefusalReason::Expectation, text));
    }
    Ok(())
}

/// The target with its authority, which `:authority` and `Host` may not name differently; `Host`
/// says it too from here on (9113 8.3.1, 9114 4.3.1).
fn checked_target(
    method: &Method,
    uri: Uri,
    fields: &mut HeaderMap,
    limits: &Limits,
) -> Result<Uri, Refusal> {
    if uri.path_and_query().is_some_and(|path| path.as_str().len() > limits.target_bytes_max) {
        return Err(Refusal::new(RefusalReason::TargetTooLong, "the request target is too long"));
    }
    let uri = with_authority(uri, fields)?;
    let Some(authority) = uri.authority() else {
        return Err(host_refused("the request names no host"));
    };
    let host = HeaderValue::from_str(authority.as_str())
        .map_err(|_| host_refused("the request's authority is not a host"))?;
    if uri.path() == "*" {
        if method != Method::OPTIONS || !target::is_host(host.as_bytes()) {
            return Err(Refusal::new(RefusalReason::Target, "the request target is not a path"));
        }
        fields.insert(HOST, host);
        return Ok(Uri::from(PathAndQuery::from_static("*")));
    }
    if !uri.path_and_query().is_some_and(|path| is_plain_path(path.as_str())) {
        return Err(Refusal::new(RefusalReason::Target, "the request target is not a path"));
    }
    let uri = target::checked_absolute(uri)?;
    fields.insert(HOST, host);
    Ok(uri)
}

/// A path that HTTP/1 could carry as well.
fn is_plain_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn with_authority(uri: Uri, fields: &HeaderMap) -> Result<Uri, Refusal> {
    let mut hosts = fields.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(host_refused("there is more than one Host field"));
    }
    let Some(host) = host else { return Ok(uri) };
    if let Some(authority) = uri.authority() {
        return if target::same_authority(authority, host.as_bytes()) {
            Ok(uri)
        } else {
            Err(host_refused("Host and :authority name different hosts"))
        };
    }
    // h2 drops the scheme of a request without an authority; what counts is the connection's.
    let mut parts = uri.into_parts();
    parts.scheme.get_or_insert(Scheme::HTTP);
    let authority = host.to_str().ok().and_then(|host| host.parse().ok());
    parts.authority = Some(authority.ok_or_else(|| host_refused("the Host field is not a host"))?);
    Uri::from_parts(parts).map_err(|_| host_refused("the request names no host"))
}

/// Cookies may come in crumbs; they are one field for whoever reads them (9113 8.2.3). Their sum
/// is bounded by the bound of the whole head.
fn join_cookies(fields: &mut HeaderMap) -> Result<(), Refusal> {
    let crumbs: Vec<&[u8]> = fields.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return Ok(());
    }
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
        .map_err(|_| Refusal::new(RefusalReason::Syntax, "the cookies are not a field value"))?;
    fields.insert(COOKIE, joined);
    Ok(())
}

fn host_refused(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Host, text)
}
