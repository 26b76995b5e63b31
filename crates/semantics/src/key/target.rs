//! What a request is for: its target URI in parts (RFC 9110 section 7.1, RFC 9112 section 3.3).

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use http::{HeaderMap, Uri, header};

/// Bytes of a host name; DNS allows no more.
const HOST_BYTES_MAX: usize = 253;

/// How a request was secured, as the origin is told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Not at all.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The word in a URI.
    pub const fn word(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that is meant where none is said (RFC 9110 section 4.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// The parts of a target URI. Path and query are as the client sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetParts<'a> {
    /// The scheme.
    pub scheme: Scheme,
    host: Cow<'a, str>,
    /// The port, said or meant.
    pub port: u16,
    /// The path; `/` where it is empty, `*` for the whole server.
    pub path: &'a str,
    /// What stands behind the first `?`, if there is one.
    pub query: Option<&'a str>,
}

/// A host and a port, as an authority names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    /// The host in lower case, without a trailing dot; IPv6 in brackets, in its shortest form.
    pub host: Cow<'a, str>,
    /// The port, where one is said.
    pub port: Option<u16>,
}

/// Why a request has no usable target. Each is the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// Neither the target nor a `Host` field names a host.
    HostAbsent,
    /// More than one `Host` line (RFC 9112 section 3.2).
    HostTwice,
    /// The host is empty or longer than a name can be.
    HostLength,
    /// The host holds a byte that no host name has.
    HostByte,
    /// What stands in brackets is no IPv6 address.
    HostAddress,
    /// The authority names a user (RFC 9110 section 4.2.4).
    User,
    /// The port is no number from 1 to 65535.
    Port,
    /// The target's scheme is neither `http` nor `https`.
    Scheme,
    /// `https` was asked for over a connection that is not secured (RFC 9110 section 7.4): 421.
    Misdirected,
}

impl<'a> TargetParts<'a> {
    /// The target of a request with this URI and these fields.
    ///
    /// `scheme` is the connection's (or what a trusted peer says of its own), and what the origin
    /// is told. An authority in the URI goes before `Host` (RFC 9112 section 3.2.2); whoever sends
    /// the request on must then name this host and not that field's.
    pub fn of(scheme: Scheme, uri: &'a Uri, fields: &'a HeaderMap) -> Result<Self, TargetError> {
        check_scheme(scheme, uri)?;
        let mut lines = fields.get_all(header::HOST).into_iter();
        let host_line = lines.next().map(|line| line.as_bytes());
        if lines.next().is_some() {
            return Err(TargetError::HostTwice);
        }
        let from_field = host_line.map(host_and_port);
        let from_uri =
            uri.authority().map(|authority| host_and_port(authority.as_str().as_bytes()));
        let at = match (from_uri, from_field) {
            // A field that is broken is refused even where it does not count.
            (Some(at), Some(field)) => field.and(at)?,
            (Some(at), None) | (None, Some(at)) => at?,
            (None, None) => return Err(TargetError::HostAbsent),
        };
        Ok(TargetParts::new(scheme, at, uri.path(), uri.query()))
    }

    /// The target made of these parts.
    pub fn new(scheme: Scheme, at: HostPort<'a>, path: &'a str, query: Option<&'a str>) -> Self {
        let path = if path.is_empty() { "/" } else { path };
        let port = at.port.unwrap_or(scheme.default_port());
        TargetParts { scheme, host: at.host, port, path, query }
    }

    /// The host in lower case, without a trailing dot.
    pub fn host(&self) -> &str {
        &self.host
    }
}

fn check_scheme(scheme: Scheme, uri: &Uri) -> Result<(), TargetError> {
    match (scheme, uri.scheme_str()) {
        (_, None | Some("http")) | (Scheme::Https, Some("https")) => Ok(()),
        (Scheme::Http, Some("https")) => Err(TargetError::Misdirected),
        (_, Some(_)) => Err(TargetError::Scheme),
    }
}

/// Reads `host[:port]`, strictly: only what names a host to everyone alike. Escapes, users, zones
/// and bytes beyond letters, digits, `-`, `.` and `_` are refused.
pub fn host_and_port(authority: &[u8]) -> Result<HostPort<'_>, TargetError> {
    // No part of an authority holds the byte, so that it is looked for only where something is wrong.
    let is_user_named = || authority.contains(&b'@');
    parts(authority).map_err(|wrong| if is_user_named() { TargetError::User } else { wrong })
}

fn parts(authority: &[u8]) -> Result<HostPort<'_>, TargetError> {
    if let Some(rest) = authority.strip_prefix(b"[") {
        let end = rest.iter().position(|&b| b == b']').ok_or(TargetError::HostAddress)?;
        let host = address(&rest[..end])?;
        return Ok(HostPort { host: host.into(), port: port(&rest[end + 1..])? });
    }
    let end = authority.iter().position(|&b| b == b':').unwrap_or(authority.len());
    let host = name(&authority[..end])?;
    Ok(HostPort { host, port: port(&authority[end..])? })
}

fn address(text: &[u8]) -> Result<String, TargetError> {
    let text = str::from_utf8(text).map_err(|_| TargetError::HostAddress)?;
    let address: Ipv6Addr = text.parse().map_err(|_| TargetError::HostAddress)?;
    Ok(format!("[{address}]"))
}

fn name(text: &[u8]) -> Result<Cow<'_, str>, TargetError> {
    let text = text.strip_suffix(b".").unwrap_or(text);
    if text.is_empty() || text.len() > HOST_BYTES_MAX {
        return Err(TargetError::HostLength);
    }
    let met = text.iter().fold(0, |met, byte| met | IN_NAME[usize::from(*byte)]);
    if met & FOREIGN != 0 || text.ends_with(b".") {
        return Err(TargetError::HostByte);
    }
    let text = str::from_utf8(text).map_err(|_| TargetError::HostByte)?;
    match met & UPPER {
        0 => Ok(text.into()),
        _ => Ok(text.to_ascii_lowercase().into()),
    }
}

const UPPER: u8 = 1;
const FOREIGN: u8 = 2;

/// What each byte is in a name: nothing to mind, a capital, or nothing that a name has. In a table, as
/// every request has a host.
static IN_NAME: [u8; 256] = {
    let mut table = [FOREIGN; 256];
    let mut byte = 0;
    while byte < 128 {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => table[byte as usize] = 0,
            b'A'..=b'Z' => table[byte as usize] = UPPER,
            _ => {}
        }
        byte += 1;
    }
    table
};

/// Reads what follows the host: nothing, `:` or `:port`.
fn port(text: &[u8]) -> Result<Option<u16>, TargetError> {
    let digits = match text {
        [] | [b':'] => return Ok(None),
        [b':', digits @ ..] => digits,
        _ => return Err(TargetError::HostAddress),
    };
    if digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(TargetError::Port);
    }
    let number = digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    u16::try_from(number).ok().filter(|&port| port != 0).map(Some).ok_or(TargetError::Port)
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetError::HostAbsent => "cannot tell which host is meant: no Host field",
            TargetError::HostTwice => "cannot tell which host is meant: several Host lines",
            TargetError::HostLength => "cannot read the host: it is empty or too long",
            TargetError::HostByte => "cannot read the host: it holds a byte that no name has",
            TargetError::HostAddress => "cannot read the host: no IPv6 address in its brackets",
            TargetError::User => "cannot read the host: it names a user",
            TargetError::Port => "cannot read the port: not a number from 1 to 65535",
            TargetError::Scheme => "cannot answer for the target: its scheme is not http or https",
            TargetError::Misdirected => {
                "cannot answer for the target: https asked for over an unsecured connection"
            }
        })
    }
}

impl std::error::Error for TargetError {}
