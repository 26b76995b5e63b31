//! Settings as the operator writes them.

use std::fmt::{Display, Formatter, Result};

use super::{HostPattern, Listen, MemberScheme, MemberSettings};

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
