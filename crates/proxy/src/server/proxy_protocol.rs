//! For whom a peer speaks: the PROXY protocol of HAProxy, versions 1 and 2, as strict as its text.
//!
//! [`parse`] is pure. Only peers that the configuration lists are heard, and they must say it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::refusal::{Refusal, RefusalReason};
use crate::answer::Duplex;
use crate::config::ProxyProtocolSettings;

/// Bytes of the header of version 1, its line end included (section 2.1).
const LINE_BYTES_MAX: usize = 107;

/// Bytes that may follow the front of version 2: addresses and what else is said. The text allows
/// 65 535; what anybody sends is some hundred.
const REST_BYTES_MAX: usize = 4096;

/// What version 2 begins with (section 2.2), and the bytes until its length is known.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const FRONT_BYTES: usize = 16;

/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";

/// Who may speak for others, and must.
#[derive(Clone, Debug)]
pub struct Spokesmen {
    settings: ProxyProtocolSettings,
}

/// What the bytes so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing yet; more is needed.
    Hungry,
    /// A whole header.
    Header {
        /// The client; `None` where the peer speaks for itself, or does not know.
        client: Option<SocketAddr>,
        /// Bytes of the header.
        length: usize,
    },
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFault(pub &'static str);

impl Spokesmen {
    /// Those of these settings, or none.
    pub fn of(settings: &ProxyProtocolSettings) -> Option<Self> {
        (!settings.peers.is_empty()).then(|| Spokesmen { settings: settings.clone() })
    }

    /// Whether a peer is one of them.
    pub fn hold(&self, peer: Option<SocketAddr>) -> bool {
        let holds = |peer: SocketAddr| self.settings.peers.iter().any(|one| one.holds(peer.ip()));
        peer.is_some_and(holds)
    }
}

/// Reads a header off a connection: the client, and what was read behind it. Without a refusal the
/// peer has left.
pub(super) async fn receive(
    io: &mut impl Duplex,
    spokesmen: &Spokesmen,
) -> Result<(Option<SocketAddr>, BytesMut), Option<Refusal>> {
    let mut read = BytesMut::with_capacity(FRONT_BYTES + REST_BYTES_MAX);
    let reading = async {
        loop {
            match parse(&read) {
                Err(HeaderFault(text)) => return Err(Some(refuse(text))),
                Ok(Parsed::Header { client, length }) => {
                    read.advance(length);
                    return Ok((client, std::mem::take(&mut read)));
                }
                Ok(Parsed::Hungry) => {}
            }
            match io.read_buf(&mut read).await {
                Ok(0) | Err(_) => return Err(None),
                Ok(_) => {}
            }
        }
    };
    let received = timeout(spokesmen.settings.timeout, reading).await;
    received.unwrap_or(Err(Some(refuse("the PROXY header took too long"))))
}

fn refuse(text: &'static str) -> Refusal {
    Refusal::new(RefusalReason::ProxyHeader, text)
}

/// Reads a header from the begin of these bytes.
pub fn parse(bytes: &[u8]) -> Result<Parsed, HeaderFault> {
    let begins_with = |words: &[u8]| {
        let seen = bytes.len().min(words.len());
        bytes[..seen] == words[..seen]
    };
    if begins_with(WORD) {
        parse_line(bytes)
    } else if begins_with(SIGNATURE) {
        parse_binary(bytes)
    } else {
        Err(HeaderFault("this peer must begin with a PROXY header"))
    }
}

/// Version 1: one line of text.
fn parse_line(bytes: &[u8]) -> Result<Parsed, HeaderFault> {
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return match bytes.len() < LINE_BYTES_MAX {
            true => Ok(Parsed::Hungry),
            false => Err(HeaderFault("the PROXY line is too long")),
        };
    };
    let Some(line) = within[..end].strip_suffix(b"\r") else {
        return Err(HeaderFault("the PROXY line does not end with CR LF"));
    };
    let text = std::str::from_utf8(&line[WORD.len().min(line.len())..])
        .map_err(|_| HeaderFault("the PROXY line is not ASCII"))?;
    let length = end + 1;
    // The rest of such a line is to be overlooked, whatever it is.
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(Parsed::Header { client: None, length });
    }
    let client = addresses(text).ok_or(HeaderFault("the PROXY line is not well formed"))?;
    Ok(Parsed::Header { client: Some(client), length })
}

/// `TCP4 source destination port port`, one space each.
fn addresses(text: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = text.splitn(6, ' ').collect();
    let &[family, source, destination, source_port, destination_port] = &words[..] else {
        return None;
    };
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    address(destination)?;
    port(destination_port)?;
    Some(SocketAddr::new(address(source)?, port(source_port)?))
}

/// A decimal number without a leading zero.
fn port(text: &str) -> Option<u16> {
    let is_plain = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain && digits)
}

/// Version 2: a front of 16 bytes, addresses, and what else is said.
fn parse_binary(bytes: &[u8]) -> Result<Parsed, HeaderFault> {
    let Some((front, after)) = bytes.split_at_checked(FRONT_BYTES) else {
        return Ok(Parsed::Hungry);
    };
    let (command, family) = (front[12], front[13]);
    let rest_length = usize::from(u16::from_be_bytes([front[14], front[15]]));
    if rest_length > REST_BYTES_MAX {
        return Err(HeaderFault("the PROXY header is too long"));
    }
    let Some(rest) = after.get(..rest_length) else { return Ok(Parsed::Hungry) };
    let length = FRONT_BYTES + rest_length;
    let client = match command {
        // LOCAL: the peer asks for itself; what it says of addresses does not count.
        0x20 => return Ok(Parsed::Header { client: None, length }),
        0x21 => client(family, rest)?,
        _ => return Err(HeaderFault("the PROXY header has no such version or command")),
    };
    Ok(Parsed::Header { client, length })
}

/// The source among the addresses of a family, the rest being well formed too.
fn client(family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, HeaderFault> {
    const SHORT: HeaderFault = HeaderFault("the PROXY header is too short for its addresses");
    let length = match family {
        0x00 => 0,
        0x11 => 12,
        0x21 => 36,
        0x31 => 216,
        _ => return Err(HeaderFault("the PROXY header is not for a stream")),
    };
    let (addresses, more) = rest.split_at_checked(length).ok_or(SHORT)?;
    if !is_well_formed(more) {
        return Err(HeaderFault("what the PROXY header adds is not well formed"));
    }
    let port = |at: usize| u16::from_be_bytes([addresses[at], addresses[at + 1]]);
    Ok(match family {
        0x11 => {
            let source: [u8; 4] = addresses[..4].try_into().map_err(|_| SHORT)?;
            Some(SocketAddr::new(Ipv4Addr::from(source).into(), port(8)))
        }
        0x21 => {
            let source: [u8; 16] = addresses[..16].try_into().map_err(|_| SHORT)?;
            Some(SocketAddr::new(Ipv6Addr::from(source).into(), port(32)))
        }
        _ => None,
    })
}

/// A row of types, lengths and values (section 2.2.7), none of which we use.
fn is_well_formed(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some((front, after)) = rest.split_at_checked(3) else { return false };
        let length = usize::from(u16::from_be_bytes([front[1], front[2]]));
        let Some(after) = after.get(length..) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests;
