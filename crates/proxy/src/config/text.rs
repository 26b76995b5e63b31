//! Single words of an operator, as flags and configuration file both write them: sizes, time spans,
//! addresses, members. Each function reads one text and says why it cannot.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{AccessLog, Admin, HostPattern, Listen, MemberSettings, Network};

/// Why a text cannot be read: what is wrong with it, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub why: String,
    /// What is allowed.
    pub allowed: Option<String>,
}

/// A size in bytes: `64KiB`, `256MiB`, `1GB`.
pub fn size(text: &str) -> Result<u64, Refusal> {
    unimplemented!("{text}")
}

/// A time span: `250ms`, `10s`, `5m`, `1h30m`, `1d`.
pub fn span(text: &str) -> Result<Duration, Refusal> {
    unimplemented!("{text}")
}

/// A place to accept clients: `127.0.0.1:8080`, `[::1]:8080`, `unix:/path`.
pub fn listen(text: &str) -> Result<Listen, Refusal> {
    unimplemented!("{text}")
}

/// Where operators are answered: an address, or `off`.
pub fn admin(text: &str) -> Result<Admin, Refusal> {
    unimplemented!("{text}")
}

/// An origin server: `http://host:port`, `https://host`, `h2c://host:port`, `unix:/path` or
/// `host:port`.
pub fn member(text: &str) -> Result<MemberSettings, Refusal> {
    unimplemented!("{text}")
}

/// A range of addresses: `10.0.0.0/8`, `::1`.
pub fn network(text: &str) -> Result<Network, Refusal> {
    unimplemented!("{text}")
}

/// Which hosts a route is for: `example.com`, `*.example.com`, `*`.
pub fn host(text: &str) -> Result<HostPattern, Refusal> {
    unimplemented!("{text}")
}

/// The form of the access log: `off`, `text`, `json`.
pub fn access_log(text: &str) -> Result<AccessLog, Refusal> {
    unimplemented!("{text}")
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)?;
        match &self.allowed {
            Some(allowed) => write!(formatter, "; {allowed}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}
