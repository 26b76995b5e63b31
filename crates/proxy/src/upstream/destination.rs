//! Which addresses the gateway may connect to: the rule, told what is its own, asking nobody else.
//!
//! Who may say where requests go (a file, a value in Redis, a name's owner in the DNS) shall not reach
//! what only this machine reaches: a cloud's metadata, what has no address but on this wire, and the
//! gateway's own listeners. So an address is judged after its name was resolved, at each attempt, by
//! what it leads to and not by how it is written. Loopback and private ranges are where origins are
//! (P4.1), and are allowed.

mod local;
mod reading;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

pub use local::{Interfaces, Local};

use self::reading::readings;
use crate::config::{DestinationRange, DestinationSettings, Listen};

/// Services that tell a machine of a cloud who it is, and give out its credentials.
const METADATA_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same in IPv6.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// What may be connected to, and what is counted of the rest.
pub struct Destinations {
    settings: ArcSwap<DestinationSettings>,
    /// How often the settings have changed.
    revision: AtomicU64,
    own: ArcSwap<Own>,
    local: Box<dyn Local>,
    counts: [AtomicU64; RefusedWhy::ALL.len()],
}

/// The gateway's own listeners, with the ports that the system chose.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// Where clients are accepted.
    pub public: Vec<Listen>,
    /// Where operators are answered.
    pub admin: Option<SocketAddr>,
}

/// An address that is not connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was to be connected to.
    pub destination: String,
    /// Why not.
    pub why: RefusedWhy,
}

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedWhy {
    /// It is the gateway's own listener for clients.
    OwnListener,
    /// It is the gateway's own admin listener, which nothing allows.
    OwnAdmin,
    /// A metadata service of a cloud.
    Metadata,
    /// Link-local: 169.254.0.0/16, fe80::/10.
    LinkLocal,
    /// A group (224.0.0.0/4, ff00::/8), or everybody (255.255.255.255).
    Multicast,
    /// No address: 0.0.0.0/8, ::.
    Unspecified,
    /// The settings deny it.
    Denied,
}

impl Default for Destinations {
    /// For who listens nowhere, with nothing said.
    fn default() -> Self {
        Destinations::new(DestinationSettings::default(), Own::default())
    }
}

impl Destinations {
    /// The rule of these settings for a gateway that listens here.
    pub fn new(settings: DestinationSettings, own: Own) -> Self {
        Destinations::beside(settings, own, Box::new(Interfaces))
    }

    /// The same, told otherwise which addresses are this machine's.
    pub fn beside(settings: DestinationSettings, own: Own, local: Box<dyn Local>) -> Self {
        let (settings, own) = (ArcSwap::from_pointee(settings), ArcSwap::from_pointee(own));
        let revision = AtomicU64::new(0);
        Destinations { settings, revision, own, local, counts: Default::default() }
    }

    /// Judges by these settings from here on. Connections that were made before are not used again.
    pub fn judge_by(&self, settings: DestinationSettings) {
        self.settings.store(Arc::new(settings));
        self.revision.fetch_add(1, Ordering::Release);
    }

    /// From here on the gateway accepts clients there.
    pub fn listens_at(&self, public: Vec<Listen>) {
        let admin = self.own.load().admin;
        self.own.store(Arc::new(Own { public, admin }));
    }

    /// Changes whenever what the settings say does.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Whether an address may be connected to. All that it may mean is judged: an IPv6 address in
    /// which an IPv4 address lies may lead to that one.
    pub fn judge(&self, destination: SocketAddr) -> Result<(), Refused> {
        let refused = |why| Refused { destination: destination.to_string(), why };
        let port = destination.port();
        let written = destination.ip().to_canonical();
        for ip in readings(written) {
            if let Some(why) = self.is_own(ip, port) {
                return Err(refused(why));
            }
            match self.said(ip, port) {
                Said::Deny => return Err(refused(RefusedWhy::Denied)),
                Said::Allow => {}
                // What is allowed as it is written is allowed with all that it may lead to.
                Said::Nothing if self.said(written, port) == Said::Allow => {}
                Said::Nothing => by_default(ip).map_err(refused)?,
            }
        }
        Ok(())
    }

    /// Whether a Unix socket may be connected to: any but our own. Asks the file system where the
    /// path leads.
    pub fn judge_path(&self, path: &Path) -> Result<(), Refused> {
        let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let wanted = place(path);
        let is_own = |listen: &Listen| match listen {
            Listen::Unix(own) => place(own) == wanted,
            Listen::Tcp(_) => false,
        };
        if !self.own.load().public.iter().any(is_own) {
            return Ok(());
        }
        let destination = path.display().to_string();
        self.counted(Refused { destination, why: RefusedWhy::OwnListener })
    }

    /// Those of a name's addresses that may be connected to, in their order; if none, why the first
    /// may not. What is refused is counted.
    pub fn admit(&self, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        let mut first = None;
        let mut admitted = addresses;
        admitted.retain(|address| match self.judge(*address) {
            Ok(()) => true,
            Err(refused) => {
                self.count(refused.why);
                first.get_or_insert(refused);
                false
            }
        });
        match first {
            Some(refused) if admitted.is_empty() => Err(refused),
            Some(_) | None => Ok(admitted),
        }
    }

    /// How many addresses were refused, by reason.
    pub fn refused(&self) -> [(&'static str, u64); RefusedWhy::ALL.len()] {
        RefusedWhy::ALL.map(|why| (why.word(), self.counts[why as usize].load(Ordering::Relaxed)))
    }

    fn count(&self, why: RefusedWhy) {
        self.counts[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn counted(&self, refused: Refused) -> Result<(), Refused> {
        self.count(refused.why);
        Err(refused)
    }

    /// Whether one of our listeners would answer there. The one for clients may be allowed by its
    /// address and port, for who wants to see a loop; the one for operators may not.
    fn is_own(&self, ip: IpAddr, port: u16) -> Option<RefusedWhy> {
        let answers = |listener: SocketAddr| {
            let at = listener.ip().to_canonical();
            listener.port() == port && (at == ip || (at.is_unspecified() && self.is_here(ip)))
        };
        let own = self.own.load();
        if own.admin.is_some_and(answers) {
            return Some(RefusedWhy::OwnAdmin);
        }
        let is_public = own.public.iter().any(|listen| match listen {
            Listen::Tcp(listener) => answers(*listener),
            Listen::Unix(_) => false,
        });
        let is_allowed = || {
            let settings = self.settings.load();
            settings.allow.iter().any(|range| range.port == Some(port) && range.holds(ip, port))
        };
        (is_public && !is_allowed()).then_some(RefusedWhy::OwnListener)
    }

    /// Whether an address is this machine's.
    fn is_here(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || ip.is_unspecified() || self.local.is_local(ip)
    }

    /// What the settings say: the narrowest range that holds the address counts, and of two alike
    /// the one that denies.
    fn said(&self, ip: IpAddr, port: u16) -> Said {
        let narrowest = |ranges: &[DestinationRange]| {
            let holding = ranges.iter().filter(|range| range.holds(ip, port));
            holding.map(DestinationRange::narrowness).max()
        };
        let settings = self.settings.load();
        match (narrowest(&settings.allow), narrowest(&settings.deny)) {
            (None, None) => Said::Nothing,
            (allow, deny) if allow > deny => Said::Allow,
            (_, _) => Said::Deny,
        }
    }
}

/// What the settings say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Allow,
    Deny,
}

impl DestinationRange {
    /// Whether an address lies in it.
    pub fn holds(&self, ip: IpAddr, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.network.holds(ip)
    }

    /// Larger for narrower ranges of one family.
    fn narrowness(&self) -> (u8, bool) {
        (self.network.prefix_bits, self.port.is_some())
    }
}

/// What is refused where nothing is said.
fn by_default(ip: IpAddr) -> Result<(), RefusedWhy> {
    let is_metadata = match ip {
        IpAddr::V4(ip) => METADATA_V4.contains(&ip),
        IpAddr::V6(ip) => METADATA_V6.contains(&ip),
    };
    let (is_link_local, is_group, is_nothing) = match ip {
        IpAddr::V4(ip) => {
            (ip.is_link_local(), ip.is_multicast() || ip.is_broadcast(), ip.octets()[0] == 0)
        }
        IpAddr::V6(ip) => (ip.is_unicast_link_local(), ip.is_multicast(), ip.is_unspecified()),
    };
    match () {
        () if is_metadata => Err(RefusedWhy::Metadata),
        () if is_link_local => Err(RefusedWhy::LinkLocal),
        () if is_group => Err(RefusedWhy::Multicast),
        () if is_nothing => Err(RefusedWhy::Unspecified),
        () => Ok(()),
    }
}

impl RefusedWhy {
    /// Every reason, in the order of its number.
    pub const ALL: [RefusedWhy; 7] = [
        RefusedWhy::OwnListener,
        RefusedWhy::OwnAdmin,
        RefusedWhy::Metadata,
        RefusedWhy::LinkLocal,
        RefusedWhy::Multicast,
        RefusedWhy::Unspecified,
        RefusedWhy::Denied,
    ];

    /// Its word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            RefusedWhy::OwnListener => "own-listener",
            RefusedWhy::OwnAdmin => "own-admin",
            RefusedWhy::Metadata => "metadata",
            RefusedWhy::LinkLocal => "link-local",
            RefusedWhy::Multicast => "multicast",
            RefusedWhy::Unspecified => "unspecified",
            RefusedWhy::Denied => "denied",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            RefusedWhy::OwnListener => "the gateway itself listens there",
            RefusedWhy::OwnAdmin => "the gateway's own admin listener is there",
            RefusedWhy::Metadata => "it is a cloud's metadata service",
            RefusedWhy::LinkLocal => "it is link-local",
            RefusedWhy::Multicast => "it is a group of machines",
            RefusedWhy::Unspecified => "it is no machine's address",
            RefusedWhy::Denied => "`deny` in `[destinations]` holds it",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused `{}`: {}", self.destination, self.why.sentence())
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        io::Error::new(io::ErrorKind::PermissionDenied, refused)
    }
}

#[cfg(test)]
mod tests;
