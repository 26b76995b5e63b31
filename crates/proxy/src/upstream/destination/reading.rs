//! What an address may lead to: itself, and the IPv4 addresses that lie in an IPv6 address.
//!
//! Gateways of a network translate some of these; none of them is what an origin is called by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address, and each IPv4 address that it may be translated to. `::` and `::1` hold none.
pub(super) fn readings(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let held = match ip {
        IpAddr::V4(_) => [None; 3],
        IpAddr::V6(ip) => held_by(ip),
    };
    std::iter::once(ip).chain(held.into_iter().flatten().map(IpAddr::V4))
}

fn held_by(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 3] {
    let bits = ip.to_bits();
    let [a, b, c, d, e, f, ..] = ip.segments();
    let v4_from = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    let last = v4_from(0);
    match [a, b, c, d, e, f] {
        // Mapped (RFC 4291 section 2.5.5.2), and what RFC 2765 called translated.
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] => [Some(last), None, None],
        // Compatible (RFC 4291 section 2.5.5.1); the first 2^16 are `::`, `::1` and nothing.
        [0, 0, 0, 0, 0, 0] if bits >> 16 != 0 => [Some(last), None, None],
        // NAT64 (RFC 6052 section 2.1).
        [0x64, 0xff9b, 0, 0, 0, 0] => [Some(last), None, None],
        // Here a network may choose how long its prefix is (RFC 8215): 96, 64 or 48 bits. Read with
        // another length than it was written with, an address mostly begins with zeros.
        [0x64, 0xff9b, 1, ..] => {
            let around = Ipv4Addr::from_bits(
                u32::from(d) << 16 | (u32::from(e) & 0xff) << 8 | u32::from(f) >> 8,
            );
            let is_address = |v4: &Ipv4Addr| v4.octets()[0] != 0;
            [last, around, v4_from(24)].map(|v4| Some(v4).filter(is_address))
        }
        // 6to4 (RFC 3056 section 2).
        [0x2002, ..] => [Some(v4_from(80)), None, None],
        // Teredo (RFC 4380 section 4): the server, and the client with its bits turned.
        [0x2001, 0, ..] => [Some(v4_from(64)), Some(Ipv4Addr::from_bits(!last.to_bits())), None],
        // ISATAP (RFC 5214 section 6.1).
        [_, _, _, _, 0 | 0x200, 0x5efe] => [Some(last), None, None],
        _ => [None; 3],
    }
}
