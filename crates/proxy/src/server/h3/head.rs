//! From a field section to a request's head, or to its trailers (9114 4.2, 4.3).

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::super::h1;
use super::super::refusal::{Refusal, RefusalReason};
use super::super::streams::request;
use super::super::target;
use super::code::Fault;
use super::qpack::{self, Bounds, Field, Unread};
use crate::config::Limits;
use crate::http1::without_forbidden;

/// Pseudo-header fields of a request.
const PSEUDO_FIELDS_MAX: usize = 4;

/// A request's head that was found sound.
#[derive(Debug)]
pub(super) struct Head {
    /// The method.
    pub(super) method: Method,
    /// The target, in absolute form but for `*`.
    pub(super) target: Uri,
    /// The fields, `Host` among them.
    pub(super) fields: HeaderMap,
    /// The length of the body, where it is said.
    pub(super) length: Option<u64>,
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The connection cannot go on.
    Fault(Fault),
    /// The request is refused; its reason says whether it is malformed.
    Refused(RefusalReason, &'static str),
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Wrong::Refused(refusal.reason, refusal.text)
    }
}

impl From<Unread> for Wrong {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Fault(fault) => Wrong::Fault(fault),
            Unread::TooLarge => too_large().into(),
        }
    }
}

/// Reads a request's head.
pub(super) fn read(section: Bytes, limits: &Limits) -> Result<Head, Wrong> {
    let bounds = Bounds {
        bytes_max: limits.head_bytes_max,
        fields_max: limits.fields_max.saturating_add(PSEUDO_FIELDS_MAX),
    };
    let lines = qpack::decode(section, bounds)?;
    let mut pseudo = Pseudo::default();
    let mut fields = HeaderMap::new();
    for line in lines {
        match line.name.first() {
            Some(b':') if fields.is_empty() => pseudo.take(line)?,
            Some(b':') => return Err(malformed("a pseudo-header field comes late").into()),
            Some(_) | None => append(&mut fields, line)?,
        }
    }
    let (method, uri) = pseudo.parts()?;
    let target = request::checked(&method, uri, &mut fields, limits)?;
    let length = fields.get(CONTENT_LENGTH).map(|length| h1::content_length(length.as_bytes()));
    let length = length.transpose()?;
    request::check_length(length, limits)?;
    Ok(Head { method, target, fields, length })
}

/// Reads trailers. What no trailer may be is left out of them.
pub(super) fn read_trailers(section: Bytes, bounds: Bounds) -> Result<HeaderMap, Wrong> {
    let mut fields = HeaderMap::new();
    for line in qpack::decode(section, bounds)? {
        append(&mut fields, line)?;
    }
    if fields.values().any(|value| request::is_padded(value.as_bytes())) {
        return Err(malformed("a trailer's value begins or ends with whitespace").into());
    }
    Ok(without_forbidden(fields))
}

/// What a request says of itself in place of a request line (9114 4.3.1).
#[derive(Default)]
struct Pseudo {
    method: Option<Bytes>,
    scheme: Option<Bytes>,
    authority: Option<Bytes>,
    path: Option<Bytes>,
}

impl Pseudo {
    fn take(&mut self, Field { name, value }: Field) -> Result<(), Refusal> {
        let place = match &name[..] {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            _ => return Err(malformed("there is a pseudo-header field that no request has")),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(malformed("a pseudo-header field is there twice")),
        }
    }

    fn parts(self) -> Result<(Method, Uri), Refusal> {
        let Some(method) = self.method else { return Err(malformed("there is no :method")) };
        let method =
            Method::from_bytes(&method).map_err(|_| malformed("the method is not a token"))?;
        let mut parts = http::uri::Parts::default();
        parts.authority = self.authority.map(authority_of).transpose()?;
        match (self.scheme, self.path, method == Method::CONNECT) {
            (None, None, true) => {}
            (_, _, true) => return Err(malformed("CONNECT has a :scheme or a :path")),
            (Some(scheme), Some(path), false) => {
                // Without an authority `Host` says it, and a URI has no scheme before that is known.
                parts.scheme = Some(scheme_of(&scheme)?).filter(|_| parts.authority.is_some());
                parts.path_and_query = Some(path_of(path)?);
            }
            (None, _, false) => return Err(malformed("there is no :scheme")),
            (_, None, false) => return Err(malformed("there is no :path")),
        }
        let uri = Uri::from_parts(parts).map_err(|_| malformed("the request names no target"))?;
        Ok((method, uri))
    }
}

fn scheme_of(text: &[u8]) -> Result<Scheme, Refusal> {
    match text {
        text if text.eq_ignore_ascii_case(b"https") => Ok(Scheme::HTTPS),
        text if text.eq_ignore_ascii_case(b"http") => Ok(Scheme::HTTP),
        _ => {
            let text = "the request target's scheme is neither http nor https";
            Err(Refusal::new(RefusalReason::Target, text))
        }
    }
}

/// What an authority may be is narrower than what a URI allows; so it is judged before it is one.
fn authority_of(text: Bytes) -> Result<Authority, Refusal> {
    let refused = Refusal::new(RefusalReason::Host, "the request target's host is not a host");
    if !target::is_host(&text) {
        return Err(refused);
    }
    Authority::from_maybe_shared(text).map_err(|_| refused)
}

/// A path that HTTP/1 could carry as well, or `*`; an empty one is malformed.
fn path_of(text: Bytes) -> Result<PathAndQuery, Refusal> {
    if text.is_empty() {
        return Err(malformed("the :path is empty"));
    }
    // Whoever reads a URI drops what stands behind a `#`.
    let is_plain = text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    let refused = Refusal::new(RefusalReason::Target, "the request target is not a path");
    if !is_plain || !(text.starts_with(b"/") || &text[..] == b"*") {
        return Err(refused);
    }
    PathAndQuery::from_maybe_shared(text).map_err(|_| refused)
}

/// One field, as strict as HTTP/3 wants it (9114 4.2, 10.3).
fn append(fields: &mut HeaderMap, Field { name, value }: Field) -> Result<(), Refusal> {
    if name.iter().any(u8::is_ascii_uppercase) {
        return Err(malformed("a field name has an upper-case letter"));
    }
    let name =
        HeaderName::from_bytes(&name).map_err(|_| malformed("a field name is not a token"))?;
    if is_of_connections(&name) || name == TE && &value[..] != b"trailers" {
        return Err(malformed("there is a field that says how HTTP/1 goes on"));
    }
    let value = HeaderValue::from_maybe_shared(value)
        .map_err(|_| malformed("a field value contains a control byte"))?;
    fields.try_append(name, value).map(drop).map_err(|_| too_large())
}

/// Fields that no message of HTTP/3 has (9114 4.2).
fn is_of_connections(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

fn malformed(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Syntax, text)
}

fn too_large() -> Refusal {
    Refusal::new(RefusalReason::HeadTooLarge, "the request head is too large")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::code::Code;
    use super::*;

    /// A section of lines `name: value`; a pseudo-header field begins with a colon of its own.
    fn section(lines: &[&str]) -> Bytes {
        let mut section = qpack::Section::new();
        for line in lines {
            let (name, value) = line.split_at(line[1..].find(':').expect("a colon") + 1);
            section.add(name, value[1..].strip_prefix(' ').unwrap_or(&value[1..]).as_bytes());
        }
        section.into_bytes().into()
    }

    const GET: [&str; 4] = [":method: GET", ":scheme: https", ":authority: a.example", ":path: /"];

    /// A GET of `/` on `a.example`, some lines left out, and others behind it.
    fn request_without(left_out: &str, more: &[&str]) -> Result<Head, Wrong> {
        let lines =
            GET.into_iter().filter(|line| left_out.is_empty() || !line.starts_with(left_out));
        let lines: Vec<&str> = lines.chain(more.iter().copied()).collect();
        read(section(&lines), &Limits::default())
    }

    fn reason(head: Result<Head, Wrong>) -> RefusalReason {
        match head {
            Err(Wrong::Refused(reason, _)) => reason,
            other => panic!("{other:?} is no refusal"),
        }
    }

    #[test]
    fn a_request_is_what_its_pseudo_header_fields_say() {
        let head = request_without("", &["accept: */*", "cookie: a=1", "cookie: b=2"]).unwrap();
        assert_eq!(
            (head.method, head.target.to_string()),
            (Method::GET, "https://a.example/".into())
        );
        assert_eq!(head.fields["host"], "a.example");
        assert_eq!(head.fields["cookie"], "a=1; b=2");
        assert_eq!(head.length, None);
        let head =
            request_without(":authority", &["host: b.example:8443", "content-length: 5"]).unwrap();
        assert_eq!(head.target.authority().unwrap(), "b.example:8443");
        assert_eq!(head.length, Some(5));
        let head = request_without("", &["host: A.example", "te: trailers"]).unwrap();
        assert_eq!(head.fields["host"], "a.example");
        let options = [":method: OPTIONS", ":scheme: https", ":authority: a.example", ":path: *"];
        let head = read(section(&options), &Limits::default()).unwrap();
        assert_eq!(
            (head.target.to_string(), &head.fields["host"]),
            ("*".into(), &"a.example".parse().unwrap())
        );
    }

    #[test]
    fn what_rfc_9114_calls_malformed_is_refused_as_such() {
        for (left_out, more) in [
            (":method", &[][..]),
            (":scheme", &[]),
            (":path", &[]),
            (":authority", &[]),
            ("", &[":method: GET"]),
            ("", &[":path: /"]),
            ("", &[":status: 200"]),
            ("", &[":protocol: websocket"]),
            ("", &["a: b", ":authority: a.example"]),
            (":path", &[":path: "]),
            (":authority", &[":authority: "]),
            (":authority", &[":authority: user@a.example"]),
            (":authority", &["host: a.example", "host: a.example"]),
            ("", &["host: b.example"]),
            (":method", &[":method: G T"]),
            (":method", &[":method: CONNECT"]),
            ("", &["Accept: */*"]),
            ("", &["a b: c"]),
            ("", &["a\r\nb: c"]),
            ("", &["a: b\r\nc: d"]),
            ("", &["a: b\nc: d"]),
            ("", &["a: b\0c"]),
            ("", &["a: b "]),
            ("", &["a:  b"]),
            ("", &["connection: close"]),
            ("", &["keep-alive: 5"]),
            ("", &["proxy-connection: close"]),
            ("", &["transfer-encoding: chunked"]),
            ("", &["upgrade: h2c"]),
            ("", &["te: gzip"]),
            ("", &["te: trailers, gzip"]),
            ("", &["content-length: 5", "content-length: 5"]),
            ("", &["content-length: 5, 5"]),
            ("", &["content-length: +5"]),
            ("", &["content-length: "]),
        ] {
            let reason = reason(request_without(left_out, more));
            assert!(reason.is_malformed(), "{left_out} {more:?}: {reason:?}");
        }
    }

    #[test]
    fn other_requests_that_are_not_taken_are_answered() {
        let connect = section(&[":method: CONNECT", ":authority: a.example:443"]);
        assert_eq!(reason(read(connect, &Limits::default())), RefusalReason::Method);
        for (left_out, more, expected) in [
            (":method", &[":method: TRACE"][..], RefusalReason::Method),
            (":scheme", &[":scheme: ftp"], RefusalReason::Target),
            (":path", &[":path: a"], RefusalReason::Target),
            (":path", &[":path: *"], RefusalReason::Target),
            (":path", &[":path: /a#b"], RefusalReason::Target),
            (":path", &[":path: /a b"], RefusalReason::Target),
            (":path", &[":path: http://b.example/"], RefusalReason::Target),
            ("", &["expect: 200-ok"], RefusalReason::Expectation),
            ("", &["content-length: 99999999999999"], RefusalReason::BodyTooLarge),
            ("", &["content-length: 99999999999999999999999"], RefusalReason::BodyTooLarge),
        ] {
            assert_eq!(reason(request_without(left_out, more)), expected, "{more:?}");
        }
    }

    #[test]
    fn a_head_is_bounded_in_fields_in_bytes_and_in_its_target() {
        let limits = Limits {
            fields_max: 3,
            head_bytes_max: 400,
            target_bytes_max: 20,
            ..Limits::default()
        };
        let of = |more: &[&str]| read(section(&[&GET[..], more].concat()), &limits).map(drop);
        assert_eq!(of(&["a: b", "c: d", "e: f"]), Ok(()));
        let too_large = Err(too_large().into());
        assert_eq!(of(&["a: b", "c: d", "e: f", "g: h"]), too_large);
        // The four pseudo-header fields have 42, 44, 51 and 38 bytes.
        let fitting = format!("a: {}", "b".repeat(400 - 175 - 33));
        assert_eq!(of(&[&fitting]), Ok(()));
        assert_eq!(of(&[&(fitting + "b")]), too_large);
        let of_path = |path: &str| {
            let path = format!(":path: {path}");
            read(section(&[GET[0], GET[1], GET[2], &path]), &limits)
        };
        assert!(of_path(&format!("/{}", "a".repeat(19))).is_ok());
        assert_eq!(reason(of_path(&format!("/{}", "a".repeat(20)))), RefusalReason::TargetTooLong);
    }

    #[test]
    fn trailers_are_fields_and_nothing_else() {
        let of = |lines: &[&str]| {
            read_trailers(section(lines), Bounds { bytes_max: 100, fields_max: 2 })
        };
        let trailers = of(&["x-sum: 1", "content-length: 5"]).unwrap();
        assert_eq!(trailers.len(), 1);
        assert_eq!(trailers["x-sum"], "1");
        for lines in [&[":path: /"][..], &["A: b"], &["connection: close"], &["a: b "], &["a: b\r"]]
        {
            assert!(
                matches!(of(lines), Err(Wrong::Refused(RefusalReason::Syntax, _))),
                "{lines:?}"
            );
        }
        for lines in [&["a: b", "c: d", "e: f"][..], &[&format!("a: {}", "b".repeat(68))]] {
            assert!(matches!(of(lines), Err(Wrong::Refused(RefusalReason::HeadTooLarge, _))));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_could_be_written_as_http_1(
            lines in proptest::collection::vec(
                ("(:method|:path|:authority|:scheme|host|te|[ -~]{1,5})", "(GET|https|/|a|[\\x00-~]{0,5})"),
                0..8,
            ),
        ) {
            let mut section = qpack::Section::new();
            lines.iter().for_each(|(name, value)| section.add(name, value.as_bytes()));
            if let Ok(head) = read(section.into_bytes().into(), &Limits::default()) {
                prop_assert!(head.fields.contains_key("host"));
                for (name, value) in &head.fields {
                    let text = [name.as_str().as_bytes(), value.as_bytes()].concat();
                    prop_assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
                }
                let target = head.target.to_string();
                prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let bytes = Bytes::from([&[0, 0][..], &bytes].concat());
            if let Err(Wrong::Fault(fault)) = read(bytes, &Limits::default()) {
                prop_assert_eq!(fault.code, Code::QpackDecompressionFailed);
            }
        }
    }
}
