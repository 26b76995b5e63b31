//! Settings as the operator writes them.

use std::fmt::{Display, Formatter, Result};

use super::{
    Address, HostPattern, Listen, MemberScheme, MemberSettings, RedisServers, RedisSettings, Switch,
};

impl Display for Listen {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Listen::Tcp(address) => write!(formatter, "{address}"),
            Listen::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl Display for HostPattern {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            HostPattern::Any => formatter.write_str("*"),
            HostPattern::Exact(host) => formatter.write_str(host),
            HostPattern::Below(host) => write!(formatter, "*.{host}"),
        }
    }
}

impl Display for MemberSettings {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let scheme = match self.scheme {
            MemberScheme::Http => "http",
            MemberScheme::H2c => "h2c",
            MemberScheme::Https => "https",
            MemberScheme::Unix => return write!(formatter, "unix:{}", self.host),
        };
        let (opening, closing) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "{scheme}://{opening}{}{closing}:{}", self.host, self.port)
    }
}

impl Display for Address {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => {
                write!(formatter, "[{host}]:{port}")
            }
            Address::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Address::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl RedisSettings {
    /// The servers as a URL, without user and password.
    pub fn url(&self) -> String {
        let s = match self.tls {
            Switch::On => "s",
            Switch::Off => "",
        };
        let list =
            |all: &[Address]| all.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        let database = match self.database {
            0 => String::new(),
            number => format!("/{number}"),
        };
        match &self.servers {
            RedisServers::One(address @ Address::Unix(_)) => address.to_string(),
            RedisServers::One(address) => format!("redis{s}://{address}{database}"),
            RedisServers::Sentinel { sentinels, service } => {
                format!("redis{s}+sentinel://{}/{service}{database}", list(sentinels))
            }
            RedisServers::Cluster(nodes) => format!("redis{s}+cluster://{}", list(nodes)),
        }
    }
}
