//! Addresses, hosts, paths and members.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use super::{Refusal, refuse, size};
use crate::config::{
    Admin, DestinationRange, DiskRoom, HostPattern, Listen, MemberScheme, MemberSettings, Network,
};

/// The longest name of a host (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// The longest path prefix of a route.
const PATH_BYTES_MAX: usize = 1024;

/// The longest path of a Unix socket that every system takes.
const SOCKET_BYTES_MAX: usize = 103;

/// The longest path of a directory: room is left for the names of the files in it.
const DIRECTORY_BYTES_MAX: usize = 3072;

const DISK_FORM: &str = "write a directory and a size, such as /var/cache/forebay:20GiB";
const LISTEN_FORM: &str = "write an address and a port, such as 127.0.0.1:8080, [::1]:8080 or \
                           0.0.0.0:80, or unix:/path";
const MEMBER_FORM: &str = "write http://host:port, https://host, h2c://host:port, unix:/path or \
                           host:port";

/// A place to accept clients: `127.0.0.1:8080`, `[::1]:8080`, `unix:/path`.
pub fn listen(text: &str) -> Result<Listen, Refusal> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(Listen::Unix(socket_path(path)?.into()));
    }
    Ok(Listen::Tcp(address(text)?))
}

/// Where operators are answered: an address, or `off`.
pub fn admin(text: &str) -> Result<Admin, Refusal> {
    if text == "off" {
        return Ok(Admin::Off);
    }
    match text.parse() {
        Ok(address) => Ok(Admin::At(address)),
        Err(_) => refuse(
            "it is no address with a port",
            "write an address such as 127.0.0.1:8081 or [::1]:8081, or `off`",
        ),
    }
}

fn address(text: &str) -> Result<SocketAddr, Refusal> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.parse::<IpAddr>().is_ok() {
        return refuse("the port is missing", LISTEN_FORM);
    }
    refuse("it is no address with a port", LISTEN_FORM)
}

pub(super) fn socket_path(path: &str) -> Result<&str, Refusal> {
    if !path.starts_with('/') {
        return refuse("the socket's path does not begin with `/`", "write unix:/path");
    }
    if path.contains('\0') || path.len() > SOCKET_BYTES_MAX {
        let allowed = format!("at most {SOCKET_BYTES_MAX} bytes, none of them zero");
        return refuse("no system takes such a path", allowed);
    }
    Ok(path)
}

/// A directory and how much it may hold: `/var/cache/forebay:20GiB`.
pub fn disk(text: &str) -> Result<DiskRoom, Refusal> {
    let Some((directory, room)) = text.rsplit_once(':') else {
        return refuse("the size is missing", DISK_FORM);
    };
    let size_bytes = size(room).map_err(|refusal| Refusal {
        why: format!("the size after the last colon: {}", refusal.why),
        ..refusal
    })?;
    Ok(DiskRoom { path: directory_path(directory)?, size_bytes })
}

/// The path of a directory.
pub fn directory_path(text: &str) -> Result<PathBuf, Refusal> {
    if text.is_empty() || text.contains('\0') || text.len() > DIRECTORY_BYTES_MAX {
        let allowed = format!("1 to {DIRECTORY_BYTES_MAX} bytes, none of them zero");
        return refuse("no directory has such a path", allowed);
    }
    Ok(PathBuf::from(text))
}

/// An origin server: `http://host:port`, `https://host`, `h2c://host:port`, `unix:/path` or
/// `host:port`.
pub fn member(text: &str) -> Result<MemberSettings, Refusal> {
    if let Some(path) = text.strip_prefix("unix:") {
        let host = socket_path(path)?.to_owned();
        return Ok(MemberSettings { scheme: MemberScheme::Unix, host, port: 0, weight: 1 });
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return member_at(MemberScheme::Http, text, None);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => member_at(MemberScheme::Http, rest, Some(80)),
        "h2c" => member_at(MemberScheme::H2c, rest, Some(80)),
        "https" => member_at(MemberScheme::Https, rest, Some(443)),
        _ => refuse(format!("no scheme `{scheme}`"), MEMBER_FORM),
    }
}

fn member_at(
    scheme: MemberScheme,
    authority: &str,
    port: Option<u16>,
) -> Result<MemberSettings, Refusal> {
    // A lone slash is what browsers' address lines put behind a host; it changes nothing.
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('@') {
        return refuse("a member has no user name or password", MEMBER_FORM);
    }
    if authority.contains(['/', '?', '#']) {
        return refuse("a member has no path: the client's path is sent on", MEMBER_FORM);
    }
    let (host, said_port) = split_port(authority);
    let port = match said_port {
        Some(digits) => member_port(digits)?,
        None => match port {
            Some(port) => port,
            None => return refuse("the port is missing", MEMBER_FORM),
        },
    };
    Ok(MemberSettings { scheme, host: member_host(host)?, port, weight: 1 })
}

/// The host and what follows its last colon; the colons inside brackets are an address's.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if host.starts_with('[') == host.ends_with(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

fn member_port(digits: &str) -> Result<u16, Refusal> {
    match digits.parse::<u16>() {
        Ok(port) if port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
        Ok(_) | Err(_) => refuse(format!("no port `{digits}`"), "a port is 1 to 65535"),
    }
}

pub(super) fn member_host(host: &str) -> Result<String, Refusal> {
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
        return match address {
            Some(address) => Ok(address.to_string()),
            None => refuse(format!("no IPv6 address `{host}`"), MEMBER_FORM),
        };
    }
    name(host).map_err(|why| Refusal { why, allowed: Some(MEMBER_FORM.to_owned()) })
}

/// A range of addresses: `10.0.0.0/8`, `::1`.
pub fn network(text: &str) -> Result<Network, Refusal> {
    const FORM: &str = "write an address such as ::1, or a range such as 10.0.0.0/8";
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return refuse("it is no address", FORM);
    };
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    let prefix_bits = match bits.map(str::parse::<u8>) {
        None => bits_max,
        Some(Ok(bits)) if bits <= bits_max => bits,
        Some(_) => return refuse(format!("the prefix is not 0 to {bits_max}"), FORM),
    };
    let first = first_address(address, prefix_bits);
    if first != address {
        let meant = format!("did you mean {first}/{prefix_bits}?");
        return refuse(format!("bits are set beyond the first {prefix_bits}"), meant);
    }
    Ok(Network { address, prefix_bits })
}

/// Addresses that may be connected to, or not: a range as of [`network`], or an address with a port
/// such as `169.254.7.1:3000` or `[fe80::1]:80`.
pub fn destination(text: &str) -> Result<DestinationRange, Refusal> {
    const FORM: &str = "write an address such as 169.254.7.1, one with a port such as \
                        169.254.7.1:3000 or [::1]:80, or a range such as 10.0.0.0/8";
    if let Ok(address) = text.parse::<SocketAddr>() {
        let network = exactly(address.ip());
        return Ok(DestinationRange { network, port: Some(address.port()) });
    }
    match network(text) {
        Ok(network) => Ok(DestinationRange { network, port: None }),
        Err(Refusal { why, allowed }) => {
            let is_meant = allowed.as_ref().is_some_and(|allowed| allowed.starts_with("did"));
            Err(Refusal { why, allowed: allowed.filter(|_| is_meant).or(Some(FORM.to_owned())) })
        }
    }
}

/// The range of this address alone.
fn exactly(address: IpAddr) -> Network {
    Network { address, prefix_bits: if address.is_ipv4() { 32 } else { 128 } }
}

fn first_address(address: IpAddr, prefix_bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// Which hosts a route is for: `example.com`, `*.example.com`, `*`.
pub fn host(text: &str) -> Result<HostPattern, Refusal> {
    const FORM: &str = "write a name such as example.com, *.example.com, or * for every host";
    if text == "*" {
        return Ok(HostPattern::Any);
    }
    if text.contains("://") || text.contains('/') {
        return refuse("a host has no scheme and no path", FORM);
    }
    if let Some(bracketed) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return match bracketed.parse::<Ipv6Addr>() {
            Ok(address) => Ok(HostPattern::Exact(format!("[{address}]"))),
            Err(_) => refuse("it is no IPv6 address", FORM),
        };
    }
    if text.contains(':') {
        return refuse("hosts are compared without their port", FORM);
    }
    let refused = |why| Refusal { why, allowed: Some(FORM.to_owned()) };
    match text.strip_prefix("*.") {
        Some(below) => Ok(HostPattern::Below(name(below).map_err(refused)?)),
        None => Ok(HostPattern::Exact(name(text).map_err(refused)?)),
    }
}

/// A name in lower case without its trailing dot, or what is wrong with it.
fn name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if name.len() > HOST_BYTES_MAX {
        return Err(format!("a name has at most {HOST_BYTES_MAX} bytes"));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(c) = name.chars().find(|c| !is_name(*c)) {
        return Err(wrong_in_name(c));
    }
    if name.split('.').any(str::is_empty) {
        return Err("a part of the name between its dots is empty".to_owned());
    }
    Ok(name.to_ascii_lowercase())
}

fn wrong_in_name(c: char) -> String {
    match c {
        '*' => "`*` stands only alone or as the whole first part of a name".to_owned(),
        c if c.is_ascii() => format!("a name has no `{}`", c.escape_default()),
        c => format!("a name has no `{c}`; other scripts are written as xn--… (RFC 5891)"),
    }
}

/// Which paths a route is for.
pub fn path_prefix(text: &str) -> Result<String, Refusal> {
    const FORM: &str = "write a prefix such as / or /api/, as a client sends it";
    if !text.starts_with('/') {
        return refuse("it does not begin with `/`", FORM);
    }
    if text.len() > PATH_BYTES_MAX {
        return refuse("it is too long", format!("at most {PATH_BYTES_MAX} bytes"));
    }
    if let Some(c) = text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#')) {
        return refuse(format!("no path has `{}`, so it never matches", c.escape_default()), FORM);
    }
    Ok(text.to_owned())
}
