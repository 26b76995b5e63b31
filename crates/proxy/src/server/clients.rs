//! How many connections each client has: one address of version 4, or the 64 bits of one of version 6
//! that its provider gives to a household.
//!
//! Who is counted has a connection, so the table has no more rows than there are connections.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// The clients that have connections, each with how many.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<HashMap<IpAddr, usize>>);

/// A connection's place among those of its client; dropping it gives it back.
#[derive(Debug)]
pub(super) struct ClientPlace {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// A place for a connection from this address, unless its client has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, at_once: usize) -> Option<ClientPlace> {
        let client = client(address);
        let mut counts = self.0.lock();
        let count = counts.get(&client).copied().unwrap_or(0);
        if count >= at_once {
            return None;
        }
        counts.insert(client, count + 1);
        Some(ClientPlace { clients: Arc::clone(self), client })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut counts = self.clients.0.lock();
        let Entry::Occupied(mut row) = counts.entry(self.client) else { return };
        *row.get_mut() -= 1;
        if *row.get() == 0 {
            row.remove();
        }
    }
}

/// Whom an address stands for.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_the_64_bits_that_a_household_has() {
        for (one, other, is_same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let clients = Arc::new(Clients::default());
            let _first = clients.enter(one.parse().unwrap(), 1).unwrap();
            let second = clients.enter(other.parse().unwrap(), 1);
            assert_eq!(second.is_none(), is_same, "{one} {other}");
        }
    }

    #[test]
    fn a_place_that_is_given_back_can_be_had_again_and_nothing_is_left_behind() {
        let clients = Arc::new(Clients::default());
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = (0..3).map(|_| clients.enter(address, 3).unwrap()).collect();
        assert!(clients.enter(address, 3).is_none());
        assert!(clients.enter(address, 4).is_some(), "a higher bound counts at once");
        drop(held);
        assert!(clients.0.lock().is_empty());
        assert!(clients.enter(address, 0).is_none());
        assert!(clients.0.lock().is_empty(), "who was refused is not counted");
    }
}
