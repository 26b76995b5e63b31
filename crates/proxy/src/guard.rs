//! Who may make a call of operators. Pure: it sees the request's fields and knows the tokens.
//!
//! Any page in a browser on the operator's machine can make that browser send requests to a loopback
//! address (CSRF), and a name that its owner points at 127.0.0.1 makes it read the answers too (DNS
//! rebinding). Neither knows the token. Beyond that, a request of any page but the dashboard, which
//! came from the host that it was sent to (`Origin`, `Sec-Fetch-Site`), is refused, one that changes
//! something has the media type of JSON, which no form can send, and as long as the operator set no
//! token, the host must be one that only this machine has.

mod gate;
pub mod token;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

pub use self::gate::{Gate, NextToken};
use crate::secret;

/// From which site a browser's request comes (W3C, "Fetch Metadata Request Headers", section 2.4).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a call asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Nothing.
    Nothing,
    /// The token where the operator set one; else a host of this machine.
    TokenIfSet,
    /// The token.
    Token,
    /// The token, for a change. A body is JSON.
    TokenToChange,
}

/// Knows who may.
pub enum Guard {
    /// The operator's token.
    Set(String),
    /// A token that the process made at its start, for its own user. Only on a loopback address.
    Made(String),
    /// None could be put anywhere: nobody may who needs one. Only on a loopback address.
    Missing,
}

/// Why a call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// A page of a browser asks that is not the dashboard.
    Origin,
    /// It was sent to another host.
    Host,
    /// The token is missing or wrong.
    Token,
    /// There is no token at all.
    NoToken,
    /// The body is not said to be JSON.
    Kind,
}

impl Guard {
    /// Whether a call with these fields may be made.
    pub fn judge(&self, asks: Asks, fields: &HeaderMap) -> Result<(), Forbidden> {
        match asks {
            Asks::Nothing => Ok(()),
            Asks::TokenIfSet => match self {
                Guard::Set(token) => said(token, fields),
                Guard::Made(_) | Guard::Missing => here(fields),
            },
            Asks::Token => self.token(fields),
            Asks::TokenToChange => {
                self.token(fields)?;
                is_json(fields).then_some(()).ok_or(Forbidden::Kind)
            }
        }
    }

    fn token(&self, fields: &HeaderMap) -> Result<(), Forbidden> {
        if !is_own_page(fields) {
            return Err(Forbidden::Origin);
        }
        match self {
            Guard::Set(token) => said(token, fields),
            Guard::Made(token) => here(fields).and_then(|()| said(token, fields)),
            Guard::Missing => Err(Forbidden::NoToken),
        }
    }
}

impl Forbidden {
    /// What the caller is told.
    pub fn words(self) -> &'static str {
        match self {
            Forbidden::Origin => {
                "no page of a browser but the dashboard may ask this: `Origin` or `Sec-Fetch-Site` \
                 says that another does"
            }
            Forbidden::Host => {
                "without an `admin_token` only requests to `localhost` or a loopback address are \
                 answered"
            }
            Forbidden::Token => "say the admin token in `Authorization: Bearer`",
            Forbidden::NoToken => {
                "there is no token to ask for: set `admin_token_file`, or give the process a \
                 directory for one"
            }
            Forbidden::Kind => "say `Content-Type: application/json`",
        }
    }
}

/// The only value of a field.
fn only(fields: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = fields.get_all(name).iter().map(HeaderValue::as_bytes);
    values.next().filter(|_| values.next().is_none())
}

fn said(token: &str, fields: &HeaderMap) -> Result<(), Forbidden> {
    let said = only(fields, header::AUTHORIZATION).unwrap_or_default();
    let said = said.strip_prefix(b"Bearer ").unwrap_or_default();
    secret::is_same(token.as_bytes(), said).then_some(()).ok_or(Forbidden::Token)
}

/// Whether no page asks, or one that came from the very host and port that it asks. A browser says
/// so in fields that no page can write. The listener may stand behind one that ends TLS.
fn is_own_page(fields: &HeaderMap) -> bool {
    let is_own_site = match fields.contains_key(SEC_FETCH_SITE) {
        true => matches!(only(fields, SEC_FETCH_SITE), Some(b"same-origin" | b"none")),
        false => true,
    };
    let is_own_origin = match fields.contains_key(header::ORIGIN) {
        true => only(fields, header::ORIGIN).zip(only(fields, header::HOST)).is_some_and(is_at),
        false => true,
    };
    is_own_site && is_own_origin
}

fn is_at((origin, host): (&[u8], &[u8])) -> bool {
    let place = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    place.is_some_and(|place| !host.is_empty() && place.eq_ignore_ascii_case(host))
}

/// Whether the request was sent to a name that no other machine can have.
fn here(fields: &HeaderMap) -> Result<(), Forbidden> {
    let host = only(fields, header::HOST).and_then(|host| std::str::from_utf8(host).ok());
    host.is_some_and(is_loopback).then_some(()).ok_or(Forbidden::Host)
}

fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) | None => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.parse().is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
}

fn is_json(fields: &HeaderMap) -> bool {
    let Some(kind) = only(fields, header::CONTENT_TYPE) else { return false };
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

#[cfg(test)]
mod tests;
