//! Targets and hosts as a gateway may believe them (9112 3.2, 9110 7.2, 3986 3.2.2).

use std::net::Ipv6Addr;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri};

use super::refusal::{Refusal, RefusalReason};

/// Reads a request target from a request line. The path of the absolute form is never empty in
/// what is returned: two spellings of one thing would be two keys (VSV00018).
pub(super) fn parse(method: &Method, raw: Bytes) -> Result<Uri, Refusal> {
    if raw.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'#') {
        return Err(refuse("the request target contains a byte that no target may contain"));
    }
    match raw.first() {
        None => Err(refuse("the request target is empty")),
        Some(b'/') => origin_form(raw),
        Some(b'*') if raw.len() == 1 && method == Method::OPTIONS => {
            Ok(Uri::from(PathAndQuery::from_static("*")))
        }
        Some(_) => absolute_form(raw),
    }
}

fn origin_form(raw: Bytes) -> Result<Uri, Refusal> {
    PathAndQuery::from_maybe_shared(raw)
        .map(Uri::from)
        .map_err(|_| refuse("the request target is not a path"))
}

fn absolute_form(raw: Bytes) -> Result<Uri, Refusal> {
    let uri = Uri::from_maybe_shared(raw)
        .map_err(|_| refuse("the request target is neither a path nor a URL"))?;
    if uri.scheme().is_none() {
        return Err(refuse("the request target is neither a path nor a URL"));
    }
    checked_absolute(uri)
}

/// Checks a target that has a scheme, and gives it a path if it has none.
pub(super) fn checked_absolute(uri: Uri) -> Result<Uri, Refusal> {
    if !uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS) {
        return Err(refuse("the request target's scheme is neither http nor https"));
    }
    if !uri.authority().is_some_and(|authority| is_host(authority.as_str().as_bytes())) {
        return Err(Refusal::new(RefusalReason::Host, "the request target's host is not a host"));
    }
    if uri.path_and_query().is_some_and(|path| path.as_str().starts_with('/')) {
        return Ok(uri);
    }
    with_root_path(uri)
}

fn with_root_path(uri: Uri) -> Result<Uri, Refusal> {
    let path = match uri.query() {
        Some(query) => format!("/?{query}"),
        None => "/".to_owned(),
    };
    let mut parts = uri.into_parts();
    parts.path_and_query =
        Some(path.parse().map_err(|_| refuse("the request target is not a URL"))?);
    Uri::from_parts(parts).map_err(|_| refuse("the request target is not a URL"))
}

fn refuse(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Target, text)
}

/// Whether two authorities are the same, letter case aside.
pub(super) fn same_authority(left: &Authority, right: &[u8]) -> bool {
    left.as_str().as_bytes().eq_ignore_ascii_case(right)
}

/// Whether this names a host, with a port or without. Narrower than 3986: no userinfo, no
/// percent-encoding, no sub-delimiters, no empty port; none of them is in any real host, and
/// parsers disagree about all of them.
pub(super) fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text.first() {
        Some(b'[') => match memchr::memchr(b']', text) {
            Some(end) => text.split_at(end + 1),
            None => return false,
        },
        _ => text.split_at(text.iter().position(|byte| *byte == b':').unwrap_or(text.len())),
    };
    is_name_or_address(host) && is_port(port)
}

fn is_name_or_address(host: &[u8]) -> bool {
    if let Some(address) = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        return std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    }
    let named =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !host.is_empty() && host.len() <= 255 && host.iter().all(named)
}

/// `:` and a number, or nothing.
fn is_port(text: &[u8]) -> bool {
    let Some((colon, digits)) = text.split_first() else { return true };
    *colon == b':'
        && (1..=5).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0u32, |port, digit| port * 10 + u32::from(digit - b'0')) <= 65_535
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for (text, expected) in [
            ("example.com", true),
            ("EXAMPLE.com:8080", true),
            ("127.0.0.1:1", true),
            ("[::1]", true),
            ("[::1]:65535", true),
            ("a_b.example", true),
            ("", false),
            (":80", false),
            ("a:", false),
            ("a:65536", false),
            ("a:+1", false),
            ("a:80:80", false),
            ("user@a", false),
            ("a b", false),
            ("a,b", false),
            ("a/b", false),
            ("a?b", false),
            ("%61", false),
            ("[::1", false),
            ("[::1]x", false),
            ("[zz]", false),
            ("b\u{fc}cher", false),
        ] {
            assert_eq!(is_host(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_target_is_a_path_a_url_or_an_asterisk_with_options() {
        for (method, text, expected) in [
            (Method::GET, "/", Some("/")),
            (Method::GET, "/a?b=c", Some("/a?b=c")),
            (Method::GET, "//evil.example/x", Some("//evil.example/x")),
            (Method::GET, "http://a", Some("http://a/")),
            (Method::GET, "http://a?q", Some("http://a/?q")),
            (Method::GET, "http://a/b", Some("http://a/b")),
            (Method::OPTIONS, "*", Some("*")),
            (Method::GET, "*", None),
            (Method::GET, "", None),
            (Method::GET, "/a#b", None),
            (Method::GET, "/\u{e9}", None),
            (Method::GET, "/a\tb", None),
            (Method::GET, "/\u{7f}", None),
            (Method::GET, "a:80", None),
            (Method::GET, "example.com", None),
            (Method::GET, "ftp://a/", None),
            (Method::GET, "http://u@a/", None),
            (Method::GET, "http:///a", None),
            (Method::GET, "?a", None),
        ] {
            let parsed = parse(&method, Bytes::copy_from_slice(text.as_bytes()));
            assert_eq!(parsed.ok().map(|uri| uri.to_string()).as_deref(), expected, "{text}");
        }
    }
}
