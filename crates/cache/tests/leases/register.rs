//! The register keeps to the contract, on a virtual clock.

use std::time::Duration;

use forebay_cache::lease::register::{Node, Register};
use forebay_cache::mechanism::{Clock, Fence, Key, Leases, Stamp, Timestamp};

use crate::contract::{self, Cluster, NODES};

const TTL: Duration = Duration::from_secs(10);

struct InProcess {
    register: Register,
    nodes: Vec<Node>,
}

impl Cluster for InProcess {
    fn leases(&self, node: usize) -> &dyn Leases {
        &self.nodes[node]
    }

    fn ttl(&self) -> Duration {
        TTL
    }

    async fn store(&self, key: &Key, stamp: Stamp) {
        self.register.store(key, stamp);
    }

    async fn remove(&self, key: &Key) {
        self.register.remove(key);
    }

    async fn accepts(&self, fence: &Fence) -> bool {
        self.register.accepts(fence)
    }

    async fn gap(&self) {
        self.nodes.iter().for_each(Node::cut);
        self.nodes.iter().for_each(Node::heal);
    }

    fn kill(&mut self, node: usize) {
        self.nodes[node].cut();
    }
}

#[tokio::test(start_paused = true)]
async fn the_register_keeps_to_the_contract() {
    let register = Register::new(TTL, Clock::virtual_from(Timestamp::from_millis(1)));
    let nodes = (0..NODES).map(|_| register.node()).collect();
    contract::keeps_to_it(&mut InProcess { register, nodes }).await;
}
