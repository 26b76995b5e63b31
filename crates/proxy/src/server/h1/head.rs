//! A request head: from bytes to a checked head, and nothing in between (9112 2 to 6).

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};

use super::super::refusal::{Refusal, RefusalReason};
use super::super::target;
use crate::config::Limits;
use crate::http1::{Block, Bounds, is_listed, members, parse_fields};

/// Bytes of a method; the longest registered one has 17.
const METHOD_BYTES_MAX: usize = 32;
/// Two spaces, the version and a CRLF around method and target.
const LINE_OVERHEAD: usize = 12;

/// A request head that was found sound.
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) version: Version,
    pub(super) fields: HeaderMap,
    pub(super) framing: Framing,
    pub(super) asked: Asked,
    /// Whether the client waits for `100 Continue` before it sends its body.
    pub(super) expects_continue: bool,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes; 0 where nothing is said (9112 6.3).
    Length(u64),
    /// Where its last chunk says so.
    Chunked,
}

/// What the answer's form depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) version: Version,
    /// Whether it was HEAD, whose answer has no body.
    pub(super) head_only: bool,
    /// Whether the client wants the connection to go on.
    pub(super) keep_alive: bool,
    /// Whether the client asked for another protocol (9110 7.8).
    pub(super) upgrade: bool,
    /// Whether the client takes trailers (9110 6.5.1).
    pub(super) trailers: bool,
}

/// The bounds of a request head.
pub(super) fn bounds(limits: &Limits) -> Bounds {
    let first_line_bytes_max = METHOD_BYTES_MAX + limits.target_bytes_max + LINE_OVERHEAD;
    Bounds {
        first_line_bytes_max,
        bytes_max: limits.head_bytes_max,
        lines_max: limits.fields_max + 1,
    }
}

/// Takes the scanned head off the input and reads it.
pub(super) fn parse(input: &mut BytesMut, block: Block, limits: &Limits) -> Result<Head, Refusal> {
    let mut bytes = input.split_to(block.end).freeze();
    bytes.advance(block.start);
    let line_end = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |end| end + 1);
    let line = bytes.split_to(line_end);
    let (method, target, version) = request_line(&line, limits)?;
    let fields = parse_fields(&bytes, block.lines - 1)?;
    finish(method, target, version, fields, limits)
}

fn request_line(line: &Bytes, limits: &Limits) -> Result<(Method, Uri, Version), Refusal> {
    let text = line.strip_suffix(b"\r\n").unwrap_or(line);
    let first = memchr::memchr(b' ', text);
    let last = memchr::memrchr(b' ', text);
    let (Some(first), Some(last)) = (first, last.filter(|last| Some(*last) != first)) else {
        return Err(syntax("the request line is not a method, a target and a version"));
    };
    let version = version(&text[last + 1..])?;
    if first > METHOD_BYTES_MAX {
        return Err(method_refused("the method is too long"));
    }
    let method =
        Method::from_bytes(&text[..first]).map_err(|_| syntax("the method is not a token"))?;
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(method_refused("CONNECT and TRACE are not served here"));
    }
    if last - first - 1 > limits.target_bytes_max {
        return Err(Refusal::new(RefusalReason::TargetTooLong, "the request target is too long"));
    }
    let target = target::parse(&method, line.slice(first + 1..last))?;
    Ok((method, target, version))
}

fn version(text: &[u8]) -> Result<Version, Refusal> {
    match text {
        b"HTTP/1.1" => Ok(Version::HTTP_11),
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Refusal::new(
                RefusalReason::Version,
                "the version is neither HTTP/1.0 nor HTTP/1.1",
            ))
        }
        _ => Err(syntax("the request line does not end with a version")),
    }
}

fn finish(
    method: Method,
    target: Uri,
    version: Version,
    mut fields: HeaderMap,
    limits: &Limits,
) -> Result<Head, Refusal> {
    check_host(&target, version, &mut fields)?;
    let notable = Notable::of(&fields);
    let framing = if notable.framing { framing(version, &fields)? } else { Framing::Length(0) };
    if matches!(framing, Framing::Length(length) if length > limits.body_bytes_max) {
        return Err(Refusal::new(RefusalReason::BodyTooLarge, "the request body is too long"));
    }
    let expects_continue = notable.expect && expects_continue(version, &fields)?;
    let options =
        if notable.connection { connection_options(&fields)? } else { Default::default() };
    let upgrade = options.upgrade && version == Version::HTTP_11 && wants_upgrade(&mut fields);
    let asked = Asked {
        version,
        head_only: method == Method::HEAD,
        keep_alive: !options.close && (version == Version::HTTP_11 || options.keep_alive),
        upgrade,
        trailers: notable.te && is_listed(&fields, &TE, b"trailers"),
    };
    Ok(Head { method, target, version, fields, framing, asked, expects_continue })
}

/// Which of the fields are there that say how the message and the connection go on. Most heads have
/// one of them at most, and one walk over the names is less than a search for each.
#[derive(Default)]
struct Notable {
    framing: bool,
    expect: bool,
    connection: bool,
    te: bool,
}

impl Notable {
    fn of(fields: &HeaderMap) -> Self {
        let mut notable = Notable::default();
        for name in fields.keys() {
            notable.framing |= *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING;
            notable.expect |= *name == EXPECT;
            notable.connection |= *name == CONNECTION;
            notable.te |= *name == TE;
        }
        notable
    }
}

/// Exactly one valid `Host` with HTTP/1.1, none or one with HTTP/1.0; a target that names the
/// authority itself replaces it (9112 3.2, 3.2.2).
fn check_host(target: &Uri, version: Version, fields: &mut HeaderMap) -> Result<(), Refusal> {
    let mut hosts = fields.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(host_refused("there is more than one Host field"));
    }
    match host {
        None if version == Version::HTTP_11 => {
            return Err(host_refused("there is no Host field"));
        }
        Some(host) if !target::is_host(host.as_bytes()) => {
            return Err(host_refused("the Host field is not a host"));
        }
        Some(_) | None => {}
    }
    let Some(authority) = target.authority() else { return Ok(()) };
    if !host.is_some_and(|host| target::same_authority(authority, host.as_bytes())) {
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_| host_refused("the request target's host is not a host"))?;
        fields.insert(HOST, host);
    }
    Ok(())
}

/// Where the body ends, when only one reading is possible; 400 otherwise (9112 6.1 to 6.3).
fn framing(version: Version, fields: &HeaderMap) -> Result<Framing, Refusal> {
    let mut lengths = fields.get_all(CONTENT_LENGTH).iter();
    let mut codings = fields.get_all(TRANSFER_ENCODING).iter();
    let (length, coding) = (lengths.next(), codings.next());
    if length.is_some() && coding.is_some() {
        return Err(framing_refused("there are both Content-Length and Transfer-Encoding"));
    }
    if lengths.next().is_some() || codings.next().is_some() {
        return Err(framing_refused("the body's framing is said more than once"));
    }
    match (length, coding) {
        (Some(length), _) => content_length(length.as_bytes()).map(Framing::Length),
        (None, Some(coding)) => transfer_encoding(version, coding.as_bytes()),
        (None, None) => Ok(Framing::Length(0)),
    }
}

/// The length that a body is said to have.
pub(in super::super) fn content_length(text: &[u8]) -> Result<u64, Refusal> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(framing_refused("the Content-Length is not one number"));
    }
    text.iter()
        .try_fold(0u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or_else(|| Refusal::new(RefusalReason::BodyTooLarge, "the request body is too long"))
}

fn transfer_encoding(version: Version, text: &[u8]) -> Result<Framing, Refusal> {
    if version != Version::HTTP_11 {
        return Err(framing_refused("there is a Transfer-Encoding in HTTP/1.0"));
    }
    if text.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let refusal = framing_refused("the Transfer-Encoding is something else than chunked");
    let token =
        !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    // 9112 6.1: an unknown coding is 501; what only looks like chunked is an attack.
    let known = text.to_ascii_lowercase().windows(5).any(|part| part == b"chunk");
    Err(if token && !known { refusal.with_status(StatusCode::NOT_IMPLEMENTED) } else { refusal })
}

fn expects_continue(version: Version, fields: &HeaderMap) -> Result<bool, Refusal> {
    let mut expected = members(fields, &EXPECT).peekable();
    if version != Version::HTTP_11 || expected.peek().is_none() {
        return Ok(false);
    }
    if expected.all(|member| member.eq_ignore_ascii_case(b"100-continue")) {
        return Ok(true);
    }
    Err(Refusal::new(RefusalReason::Expectation, "the expectation is not 100-continue"))
}

#[derive(Default)]
struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

/// `Connection` may not name what says where a message ends or whom it is for: taking such a field
/// away as hop-by-hop would change what the message is (9110 7.6.1, CVE-2026-26365).
fn connection_options(fields: &HeaderMap) -> Result<ConnectionOptions, Refusal> {
    let mut options = ConnectionOptions::default();
    for member in members(fields, &CONNECTION) {
        let is = |name: &[u8]| member.eq_ignore_ascii_case(name);
        options.close |= is(b"close");
        options.keep_alive |= is(b"keep-alive");
        options.upgrade |= is(b"upgrade");
        if is(b"host") || is(b"content-length") || is(b"transfer-encoding") {
            return Err(framing_refused("Connection names a field that is not hop-by-hop"));
        }
    }
    Ok(options)
}

/// Whether another protocol is wished that may be tunnelled. `h2c` may not: HTTP/2 behind our back
/// would be requests that nobody checked; the wish is taken away (9113 3.1 has withdrawn it).
fn wants_upgrade(fields: &mut HeaderMap) -> bool {
    if members(fields, &UPGRADE).any(|member| member.eq_ignore_ascii_case(b"h2c")) {
        fields.remove(UPGRADE);
    }
    fields.contains_key(UPGRADE)
}

fn syntax(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Syntax, text)
}

fn host_refused(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Host, text)
}

fn framing_refused(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Framing, text)
}

fn method_refused(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::Method, text)
}
