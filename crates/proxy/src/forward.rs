//! The request that goes to the origin: what the client sent, less what must not pass, plus what a
//! gateway says of itself (RFC 9110 sections 7.6 and 7.7, RFC 7239, RFC 8586).

use std::net::{IpAddr, SocketAddr};

use forebay_semantics::fields::{NameSet, Present, Sought, members_of, named_by_connection};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};

use crate::config::{FieldChanges, Network};

/// Gateways that a request may have passed before it counts as a loop.
pub const HOPS_MAX: usize = 16;

/// Fields that rename what the client asked for. An origin that believes one answers something that
/// the cache key does not know, so none reaches it from a client (attacks.md, unkeyed fields). What
/// is not here and changes an answer is the origin's to name in `Vary`. Sorted.
const RENAMING: [&str; 45] = [
    "front-end-https",
    "proxy",
    "x-accel-mapping",
    "x-accel-redirect",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-forwarded",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-http-path-override",
    "x-invoke-output",
    "x-invoke-path",
    "x-invoke-query",
    "x-invoke-status",
    "x-matched-path",
    "x-method-override",
    "x-middleware-override-headers",
    "x-middleware-rewrite",
    "x-middleware-subrequest",
    "x-now-route-matches",
    "x-original-host",
    "x-original-method",
    "x-original-path",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-uri",
    "x-rewrite-url",
    "x-scheme",
    "x-sendfile",
    "x-sendfile-type",
    "x-url-scheme",
];

/// Fields by which gateways before this one say who asked. An origin that believes one from a
/// stranger takes him for whom he likes. Sorted.
const NAMING_THE_CLIENT: [&str; 16] = [
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "client-ip",
    "fastly-client-ip",
    "forwarded-for",
    "true-client-ip",
    "x-azure-clientip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded-client-cert",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
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

/// Fields that go to the origin as we write them.
const WRITTEN_ANEW: [&str; 6] =
    ["host", "content-length", "forwarded", "x-forwarded-for", "via", "cdn-loop"];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Where a peer says the scheme of its own side.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Where gateways say that a request has passed them (RFC 8586).
pub const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// Room for what we say of the client and ourselves, where names are as short as they mostly are.
const OWN_BYTES: usize = 256;

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

/// The client's fields that go to the origin. `Host` is not among them; the caller sets it.
pub fn passing_fields(client: &HeaderMap, present: Present, trust: Trust) -> HeaderMap {
    let named = match present.has(Sought::Connection) {
        true => named_by_connection(client),
        false => NameSet::default(),
    };
    let mut fields = HeaderMap::new();
    for (name, value) in client {
        if passes(name, &named, trust) {
            if fields.is_empty() {
                fields.reserve(client.len());
            }
            fields.append(name.clone(), value.clone());
        }
    }
    if present.has(Sought::Te) && says_trailers(client) {
        fields.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    fields
}

/// What we say of the client and of ourselves, as whole lines.
pub fn said(client: &HeaderMap, present: Present, hop: &Hop<'_>) -> Vec<u8> {
    let mut lines = Vec::with_capacity(OWN_BYTES);
    say_who_asked(client, hop, &mut lines);
    say_who_passes_on(client, present, hop, &mut lines);
    lines
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
    for line in client.get_all(CDN_LOOP) {
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

/// Whether a client's field goes to the origin at all. Our own fields are set after this, so that
/// naming them in `Connection` removes nothing that we say (CVE-2026-26365).
fn passes(name: &HeaderName, named_by_connection: &NameSet, trust: Trust) -> bool {
    let word = name.as_str();
    // What nearly every request has goes first: a search costs more than all of these.
    if WRITTEN_ANEW.contains(&word) || HOP_BY_HOP.contains(&word) {
        return false;
    }
    // `X_Forwarded_For` is `X-Forwarded-For` to a CGI origin (GHSA-f59h-q822-g45g).
    let is_doubtful = word.bytes().any(|byte| byte == b'_');
    let is_dropped = RENAMING.binary_search(&word).is_ok()
        || (trust == Trust::Stranger && NAMING_THE_CLIENT.binary_search(&word).is_ok());
    !is_doubtful && !is_dropped && !named_by_connection.contains(name)
}

fn says_trailers(client: &HeaderMap) -> bool {
    members_of(client, &header::TE).any(|word| word.eq_ignore_ascii_case(b"trailers"))
}

/// `X-Forwarded-*` and `Forwarded` (RFC 7239).
fn say_who_asked(client: &HeaderMap, hop: &Hop<'_>, lines: &mut Vec<u8>) {
    lines.extend_from_slice(b"X-Forwarded-For: ");
    begin_list_if_believed(client, &X_FORWARDED_FOR, hop.trust, lines);
    let begin = lines.len();
    write_address(hop.client.map(|peer| peer.ip()), lines);
    let address = begin..lines.len();
    lines.extend_from_slice(b"\r\nForwarded: ");
    begin_list_if_believed(client, &header::FORWARDED, hop.trust, lines);
    let (before, after) = match hop.client {
        Some(SocketAddr::V6(_)) => (&b"for=\"["[..], &b"]\""[..]),
        Some(SocketAddr::V4(_)) | None => (&b"for="[..], &b""[..]),
    };
    lines.extend_from_slice(before);
    lines.extend_from_within(address);
    lines.extend_from_slice(after);
    for part in [";host=\"", hop.authority, "\";proto=", hop.scheme, "\r\n"] {
        lines.extend_from_slice(part.as_bytes());
    }
    for part in ["X-Forwarded-Host: ", hop.authority, "\r\nX-Forwarded-Proto: ", hop.scheme] {
        lines.extend_from_slice(part.as_bytes());
    }
    lines.extend_from_slice(b"\r\n");
}

/// `Via` and `CDN-Loop`: these are appended to whoever asked, since they are there to find loops.
fn say_who_passes_on(client: &HeaderMap, present: Present, hop: &Hop<'_>, lines: &mut Vec<u8>) {
    let has_hops = present.has(Sought::Hops);
    lines.extend_from_slice(b"Via: ");
    if has_hops {
        begin_list(client, &header::VIA, lines);
    }
    for part in [version_word(hop.version), " ", hop.name, "\r\nCDN-Loop: "] {
        lines.extend_from_slice(part.as_bytes());
    }
    if has_hops {
        begin_list(client, &CDN_LOOP, lines);
    }
    for part in [hop.name, "; node=", hop.node, "\r\n"] {
        lines.extend_from_slice(part.as_bytes());
    }
}

/// Begins a line with what the client's say, where they are believed.
fn begin_list_if_believed(
    client: &HeaderMap,
    name: &HeaderName,
    trust: Trust,
    lines: &mut Vec<u8>,
) {
    match trust {
        Trust::Stranger => {}
        Trust::Listed => begin_list(client, name, lines),
    }
}

/// Begins a line with what the client's say.
fn begin_list(client: &HeaderMap, name: &HeaderName, lines: &mut Vec<u8>) {
    for value in client.get_all(name) {
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b", ");
    }
}

/// Writes a client's address as forwarding fields say it.
fn write_address(address: Option<IpAddr>, out: &mut Vec<u8>) {
    match address {
        Some(IpAddr::V4(address)) => {
            // Most are of this kind, and the formatting machinery takes longer than all the rest.
            for (place, part) in address.octets().into_iter().enumerate() {
                out.extend_from_slice(if place == 0 { b"" } else { b"." });
                out.extend_from_slice(itoa::Buffer::new().format(part).as_bytes());
            }
        }
        Some(IpAddr::V6(address)) => out.extend_from_slice(address.to_string().as_bytes()),
        None => out.extend_from_slice(b"unknown"),
    }
}

/// The version as `Via` writes it.
pub fn version_word(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        Version::HTTP_3 => "3.0",
        _ => "1.1",
    }
}

/// Whether the client asks to leave HTTP behind on this connection, and in which words.
///
/// A tunnel in which HTTP goes on would carry requests past every rule here (h2c smuggling), so
/// such a wish is not heard; a server may always overlook it (RFC 9110 section 7.8).
pub fn upgrade_wish(method: &Method, version: Version, client: &HeaderMap) -> Option<HeaderValue> {
    let wished = version == Version::HTTP_11 && method != Method::CONNECT;
    let protocol = client.get(header::UPGRADE).filter(|_| wished)?;
    if !named_by_connection(client).contains(&header::UPGRADE) {
        return None;
    }
    let stays_http = members_of(client, &header::UPGRADE).any(is_http);
    (!stays_http).then(|| protocol.clone())
}

/// Whether a protocol carries HTTP: HTTP itself in any version, or TLS (RFC 2817).
fn is_http(protocol: &[u8]) -> bool {
    let name = protocol.split(|byte| *byte == b'/').next().unwrap_or(protocol).trim_ascii();
    [&b"h2c"[..], b"h2", b"h3", b"http", b"tls"].iter().any(|http| name.eq_ignore_ascii_case(http))
}

#[cfg(test)]
mod tests;
