//! Which addresses are this machine's: what a listener on `0.0.0.0` or `[::]` answers on.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// Knows the addresses of this machine.
pub trait Local: Send + Sync {
    /// Whether an address is one of them. Must not block.
    fn is_local(&self, ip: IpAddr) -> bool;
}

/// The machine's interfaces, asked each time, so that an address that comes later counts.
pub struct Interfaces;

/// An address that no machine has (RFC 5737).
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

impl Local for Interfaces {
    /// Only what is ours can be bound; where the system lets all be bound, its tables say it.
    fn is_local(&self, ip: IpAddr) -> bool {
        is_bindable(ip) && (!is_bindable(NOBODY) || is_in_tables(ip))
    }
}

/// Binds no port of TCP, and sends nothing. A failure of another kind than that the address is
/// elsewhere says nothing, and counts as ours.
fn is_bindable(ip: IpAddr) -> bool {
    match UdpSocket::bind((ip, 0)) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::Unsupported
        ),
    }
}

/// What cannot be read counts as ours: better an origin that must be allowed than a listener that
/// is found.
fn is_in_tables(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let Ok(table) = fs::read_to_string("/proc/net/fib_trie") else { return true };
            let leaf = format!("|-- {ip}");
            let mut pairs = table.lines().zip(table.lines().skip(1));
            pairs.any(|(line, next)| line.trim() == leaf && next.contains("host LOCAL"))
        }
        IpAddr::V6(ip) => {
            let Ok(table) = fs::read_to_string("/proc/net/if_inet6") else { return true };
            let own = format!("{:032x}", ip.to_bits());
            table.lines().any(|line| line.starts_with(&own))
        }
    }
}
