//! Redis servers: which, how they are spoken to, and as whom.
//!
//! A refusal repeats nothing of the text but its scheme: a password may stand anywhere in one that is
//! written wrong.

use std::path::PathBuf;

use super::place::{member_host, socket_path, split_port};
use super::{Refusal, refuse};
use crate::config::{Address, RedisServers, Secret, Switch};

/// Servers that one URL, or several together, can name.
pub const SERVERS_MAX: usize = 64;

/// The highest number of a database.
const DATABASE_MAX: i64 = 65_535;

/// Bytes of a user's name, of a password and of a service's name.
const NAME_BYTES_MAX: usize = 1024;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

const FORM: &str = "write redis://host:port, rediss://host:port (TLS), redis+sentinel://host:port,\
                    host:port/service, redis+cluster://host:port,host:port or unix:/path";
const USER_FORM: &str = "write redis://user:password@host:port, with %40 for `@`, %3A for `:` and \
                         %25 for `%`; better is `username` and `password_file`";

/// What one URL of a Redis says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisUrl {
    /// Where they are, and how they belong together.
    pub servers: RedisServers,
    /// Whether they are spoken to over TLS.
    pub tls: Switch,
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The database's number.
    pub database: i64,
}

/// What the scheme says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    One,
    Sentinel,
    Cluster,
}

/// One URL: `redis://[user[:password]@]host[:port][/database]`, the same with `rediss` for TLS and
/// with `+sentinel` or `+cluster` for several servers, or `unix:/path`.
pub fn redis(text: &str) -> Result<RedisUrl, Refusal> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return Ok(RedisUrl {
            servers: RedisServers::One(Address::Unix(PathBuf::from(socket_path(path)?))),
            tls: Switch::Off,
            username: None,
            password: None,
            database: 0,
        });
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return refuse("the scheme is missing", FORM);
    };
    let (scheme, tls) = scheme_of(scheme)?;
    let (user, rest) =
        rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    if rest.contains(['?', '#']) {
        return refuse("it has more than host, port and database", FORM);
    }
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (username, password) = user.map_or(Ok((None, None)), credentials)?;
    let (servers, database) = servers(scheme, hosts, path)?;
    Ok(RedisUrl { servers, tls, username, password, database })
}

fn scheme_of(text: &str) -> Result<(Scheme, Switch), Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "redis" => Ok((Scheme::One, Switch::Off)),
        "rediss" => Ok((Scheme::One, Switch::On)),
        "redis+sentinel" => Ok((Scheme::Sentinel, Switch::Off)),
        "rediss+sentinel" => Ok((Scheme::Sentinel, Switch::On)),
        "redis+cluster" => Ok((Scheme::Cluster, Switch::Off)),
        "rediss+cluster" => Ok((Scheme::Cluster, Switch::On)),
        _ => refuse("no such scheme", FORM),
    }
}

fn servers(scheme: Scheme, hosts: &str, path: &str) -> Result<(RedisServers, i64), Refusal> {
    match scheme {
        Scheme::One if hosts.contains(',') => {
            refuse("only sentinels and a cluster's nodes are several", FORM)
        }
        Scheme::One => Ok((RedisServers::One(address(hosts, PORT)?), database(path)?)),
        Scheme::Cluster if database(path)? == 0 => {
            Ok((RedisServers::Cluster(addresses(hosts, PORT)?), 0))
        }
        Scheme::Cluster => refuse("a cluster has only database 0", FORM),
        Scheme::Sentinel => {
            let (service, number) = path.split_once('/').unwrap_or((path, ""));
            let sentinels = addresses(hosts, SENTINEL_PORT)?;
            let service = service_name(service)?;
            Ok((RedisServers::Sentinel { sentinels, service }, database(number)?))
        }
    }
}

fn addresses(hosts: &str, default_port: u16) -> Result<Vec<Address>, Refusal> {
    if hosts.split(',').nth(SERVERS_MAX).is_some() {
        return refuse("it names too many servers", format!("at most {SERVERS_MAX}"));
    }
    hosts.split(',').map(|host| address(host, default_port)).collect()
}

fn address(text: &str, default_port: u16) -> Result<Address, Refusal> {
    let (host, digits) = split_port(text);
    let port = match digits.map(str::parse::<u16>) {
        None => default_port,
        Some(Ok(port)) if port > 0 => port,
        Some(Ok(_) | Err(_)) => return refuse("a port is a number, 1 to 65535", FORM),
    };
    match member_host(host) {
        Ok(host) => Ok(Address::Tcp { host, port }),
        Err(_) if host.is_empty() => refuse("the host is missing", FORM),
        Err(_) => refuse("no host has such a name", FORM),
    }
}

fn service_name(text: &str) -> Result<String, Refusal> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() {
        return refuse("it does not say what the sentinels call the service", FORM);
    }
    if text.len() > NAME_BYTES_MAX || !text.bytes().all(is_name) {
        return refuse("no service has such a name", "letters, digits and -_.");
    }
    Ok(text.to_owned())
}

fn database(text: &str) -> Result<i64, Refusal> {
    match text.parse::<i64>() {
        _ if text.is_empty() => Ok(0),
        Ok(number) if (0..=DATABASE_MAX).contains(&number) => Ok(number),
        Ok(_) | Err(_) => {
            refuse("what follows the host is no database", format!("a number, 0 to {DATABASE_MAX}"))
        }
    }
}

type Credentials = (Option<String>, Option<Secret>);

/// `user`, `user:password` or `:password`, each with `%` before two digits for what else it cannot
/// have (RFC 3986 section 2.1).
fn credentials(text: &str) -> Result<Credentials, Refusal> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    let user = Some(decoded(user)?).filter(|user| !user.is_empty()).map(|user| username(&user));
    let password = password.map(|text| decoded(text).and_then(|text| password_of(&text)));
    Ok((user.transpose()?, password.transpose()?))
}

/// The name of a user.
pub fn username(text: &str) -> Result<String, Refusal> {
    let is_name = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
    if !is_name || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse(
            "no user has such a name",
            format!("1 to {NAME_BYTES_MAX} bytes, no blanks"),
        );
    }
    Ok(text.to_owned())
}

/// A password.
pub fn password_of(text: &str) -> Result<Secret, Refusal> {
    let is_password = !text.is_empty() && text.len() <= NAME_BYTES_MAX;
    if !is_password || text.chars().any(char::is_control) {
        let allowed = format!("1 to {NAME_BYTES_MAX} bytes on one line");
        return refuse("no user has such a password", allowed);
    }
    Ok(Secret::new(text))
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return refuse("a `%` in user or password is not followed by two digits", USER_FORM);
        };
        bytes.push((high << 4 | low) as u8);
    }
    String::from_utf8(bytes)
        .or_else(|_| refuse("user or password is not UTF-8 behind its `%`", USER_FORM))
}
