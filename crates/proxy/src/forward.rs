//! The request that goes to the origin: what the client sent, less what must not pass, plus what a
//! gateway says of itself (RFC 9110 sections 7.6 and 7.7, RFC 7239, RFC 8586).

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};

use crate::config::{FieldChanges, Network};

/// Gateways that a request may have passed before it counts as a loop.
pub const HOPS_MAX: usize = 16;

/// Fields that rename what the client asked for. An origin that believes one answers something that
/// the cache key does not know, so none reaches it from a client (attacks.md, unkeyed fields).
const RENAMING: [&str; 14] = [
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-prefix",
    "x-forwarded-ssl",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Fields that belong to one connection and are never passed on (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
    "http2-settings",
    "expect",
];

/// Who asked, over what, and who passes it on.
pub struct Hop<'a> {
    /// The client's address; `None` over a Unix socket.
    pub client: Option<SocketAddr>,
    /// Whether the client is one whose forwarding fields are believed.
    pub trust: Trust,
    /// The scheme of the target URI.
    pub scheme: &'a str,
    /// Host and port of the target URI as the client wrote them.
    pub authority: &'a str,
    /// The version of HTTP that the client spoke.
    pub version: Version,
    /// This gateway's name.
    pub name: &'a str,
    /// This process among those of that name.
    pub node: &'a str,
}

/// Whether a peer's forwarding fields are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// They are appended to.
    Listed,
    /// They are replaced.
    Stranger,
}

impl Trust {
    /// What `listed` says of a peer.
    pub fn of(peer: Option<SocketAddr>, listed: &[Network]) -> Trust {
        match peer {
            Some(peer) if listed.iter().any(|network| network.holds(peer.ip())) => Trust::Listed,
            Some(_) | None => Trust::Stranger,
        }
    }
}

impl Network {
    /// Whether an address lies in this range. A v4 address in v6 clothes counts as v4.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let shift = 32u32.saturating_sub(self.prefix_bits.into());
                (u32::from(ours) ^ u32::from(theirs)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let shift = 128u32.saturating_sub(self.prefix_bits.into());
                (u128::from(ours) ^ u128::from(theirs)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// The fields for the origin, but for `Host` and conditions, which the caller sets.
pub fn request_fields(client: &HeaderMap, hop: &Hop<'_>) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(client.len() + 8);
    for (name, value) in client {
        if passes(name, client) {
            fields.append(name.clone(), value.clone());
        }
    }
    if says_trailers(client) {
        fields.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    say_who_asked(client, &mut fields, hop);
    say_who_passes_on(client, &mut fields, hop);
    fields
}

/// Takes fields away, then sets others.
pub fn change(fields: &mut HeaderMap, changes: &FieldChanges) {
    for name in &changes.remove {
        fields.remove(name);
    }
    for (name, value) in &changes.set {
        fields.insert(name.clone(), value.clone());
    }
}

/// Whether this request has come round: through this very process, or through too many gateways.
pub fn is_loop(client: &HeaderMap, name: &str, node: &str) -> bool {
    let ours = format!("{name}; node={node}");
    let mut hops = 0;
    for line in client.get_all("cdn-loop") {
        for member in line.as_bytes().split(|byte| *byte == b',') {
            hops += 1;
            if member.trim_ascii() == ours.as_bytes() {
                return true;
            }
        }
    }
    hops > HOPS_MAX || via_members(client) > HOPS_MAX
}

fn via_members(client: &HeaderMap) -> usize {
    let commas = |line: &HeaderValue| line.as_bytes().iter().filter(|b| **b == b',').count();
    client.get_all(header::VIA).iter().map(|line| 1 + commas(line)).sum()
}

/// Whether a client's field goes to the origin at all.
fn passes(name: &HeaderName, client: &HeaderMap) -> bool {
    let word = name.as_str();
    if word.contains('_') {
        // `X_Forwarded_For` is `X-Forwarded-For` to a CGI origin (GHSA-f59h-q822-g45g).
        return false;
    }
    let replaced = ["host", "content-length", "forwarded", "x-forwarded-for", "via", "cdn-loop"];
    let dropped = HOP_BY_HOP.contains(&word) || RENAMING.contains(&word);
    !dropped && !replaced.contains(&word) && !is_named_by_connection(word, client)
}

/// Whether `Connection` names this field. What every request needs cannot be named away
/// (CVE-2026-26365: hop-by-hop naming).
fn is_named_by_connection(word: &str, client: &HeaderMap) -> bool {
    let lines = client.get_all(header::CONNECTION);
    let mut names = lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

fn says_trailers(client: &HeaderMap) -> bool {
    let lines = client.get_all(header::TE);
    let mut members = lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    members.any(|member| member.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// `X-Forwarded-*` and `Forwarded` (RFC 7239).
fn say_who_asked(client: &HeaderMap, fields: &mut HeaderMap, hop: &Hop<'_>) {
    let address = hop.client.map_or_else(|| "unknown".to_owned(), |peer| peer.ip().to_string());
    append_list(client, fields, hop.trust, "x-forwarded-for", &address);
    let quoted = match hop.client.map(|peer| peer.ip()) {
        Some(IpAddr::V6(v6)) => format!("\"[{v6}]\""),
        Some(IpAddr::V4(_)) | None => address,
    };
    let authority = hop.authority;
    let forwarded = format!("for={quoted};host=\"{authority}\";proto={}", hop.scheme);
    append_list(client, fields, hop.trust, "forwarded", &forwarded);
    insert(fields, "x-forwarded-host", authority);
    insert(fields, "x-forwarded-proto", hop.scheme);
}

/// `Via` and `CDN-Loop`: these are appended to whoever asked, since they are there to find loops.
fn say_who_passes_on(client: &HeaderMap, fields: &mut HeaderMap, hop: &Hop<'_>) {
    let via = format!("{} {}", version_word(hop.version), hop.name);
    append_list(client, fields, Trust::Listed, "via", &via);
    let mut cdn = String::with_capacity(48);
    let _ = write!(cdn, "{}; node={}", hop.name, hop.node);
    append_list(client, fields, Trust::Listed, "cdn-loop", &cdn);
}

fn append_list(
    client: &HeaderMap,
    fields: &mut HeaderMap,
    trust: Trust,
    name: &'static str,
    member: &str,
) {
    let mut line = Vec::with_capacity(member.len() + 32);
    if trust == Trust::Listed {
        for value in client.get_all(name) {
            line.extend_from_slice(value.as_bytes());
            line.extend_from_slice(b", ");
        }
    }
    line.extend_from_slice(member.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&line) {
        fields.insert(HeaderName::from_static(name), value);
    }
}

fn insert(fields: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.insert(HeaderName::from_static(name), value);
    }
}

/// The version as `Via` writes it.
pub fn version_word(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    }
}

/// Whether the client asks to leave HTTP behind on this connection, and in which words.
pub fn upgrade_wish(method: &Method, version: Version, client: &HeaderMap) -> Option<HeaderValue> {
    let wished = version == Version::HTTP_11 && method != Method::CONNECT;
    if !wished || !is_named_by_connection("upgrade", client) {
        return None;
    }
    client.get(header::UPGRADE).cloned()
}

#[cfg(test)]
mod tests;
