//! A Redis Cluster of three primaries, each with a third of the slots.

use std::net::SocketAddr;
use std::time::Duration;

use super::{RedisOptions, RedisServer, Reply};
use crate::Failure;
use crate::patience::Patience;
use crate::real::free_address;

/// How many slots a cluster has.
const SLOTS: usize = 16_384;

/// How many primaries share them.
const PRIMARIES: usize = 3;

/// How long they may take to agree.
const AGREE_PATIENCE: Duration = Duration::from_secs(45);

/// How long a primary is silent before the others call it failing.
const NODE_TIMEOUT: Duration = Duration::from_secs(2);

/// How many times a command is sent on.
const MOVES_MAX: usize = 3;

/// Three primaries. Dropped, all end.
pub struct RedisCluster {
    servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a cluster that is open to all.
    pub async fn start() -> Result<Self, Failure> {
        RedisCluster::with(RedisOptions::new()).await
    }

    /// Starts a cluster of servers that are as these options say, and waits until all slots are
    /// served.
    pub async fn with(options: RedisOptions) -> Result<Self, Failure> {
        let mut servers = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..PRIMARIES {
            let bus = free_address()?.port();
            let options = options.clone().line("cluster-enabled yes");
            let options = options.line(&format!("cluster-port {bus}"));
            let timeout = format!("cluster-node-timeout {}", NODE_TIMEOUT.as_millis());
            servers.push(options.line(&timeout).start().await?);
            buses.push(bus.to_string());
        }
        let cluster = RedisCluster { servers };
        cluster.introduce(&buses).await?;
        cluster.serves().await?;
        Ok(cluster)
    }

    /// Where the primaries listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(RedisServer::address).collect()
    }

    /// How many primaries there are.
    pub fn count(&self) -> usize {
        self.servers.len()
    }

    /// One primary.
    pub fn server(&mut self, number: usize) -> &mut RedisServer {
        &mut self.servers[number]
    }

    /// The number of the primary that has the slot of this key.
    pub async fn owner(&self, key: &str) -> Result<usize, Failure> {
        let slot = self.servers[0].command(&["CLUSTER", "KEYSLOT", key]).await?.integer()?;
        let slot = usize::try_from(slot).map_err(|_| Failure::new("a slot is not negative"))?;
        let owner = (0..PRIMARIES).find(|number| slot < first_slot(number + 1));
        owner.ok_or_else(|| Failure::new(format!("nobody has the slot {slot}")))
    }

    /// Says one command to whichever primary it belongs to.
    pub async fn command<W: AsRef<[u8]>>(&self, words: &[W]) -> Result<Reply, Failure> {
        let mut server = &self.servers[0];
        for _ in 0..MOVES_MAX {
            let reply = server.command(words).await?;
            let Reply::Error(refusal) = &reply else { return Ok(reply) };
            let Some(moved) = refusal.strip_prefix("MOVED ") else { return Ok(reply) };
            let address = moved.rsplit(' ').next().and_then(|it| it.parse().ok());
            let known = |known: &&RedisServer| Some(known.address()) == address;
            server = self.servers.iter().find(known).ok_or_else(|| {
                Failure::new(format!("`{refusal}` names none of the cluster's servers"))
            })?;
        }
        Err(Failure::new(format!("sent on more than {MOVES_MAX} times")))
    }

    /// The names of all keys that fit this pattern, of all primaries, sorted.
    pub async fn keys(&self, pattern: &str) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        for server in &self.servers {
            keys.extend(server.keys(pattern).await?);
        }
        keys.sort();
        Ok(keys)
    }

    /// Waits until each primary says that all slots are served.
    pub async fn serves(&self) -> Result<(), Failure> {
        let mut patience = Patience::new("the cluster serves all slots", AGREE_PATIENCE);
        while let Err(seen) = self.is_whole().await {
            patience.again(seen).await?;
        }
        Ok(())
    }

    async fn is_whole(&self) -> Result<(), Failure> {
        let nodes = format!("cluster_known_nodes:{PRIMARIES}");
        let slots = format!("cluster_slots_ok:{SLOTS}");
        for server in &self.servers {
            let said = server.command(&["CLUSTER", "INFO"]).await?.text()?;
            for line in ["cluster_state:ok", &nodes, &slots] {
                if !said.lines().any(|it| it == line) {
                    let address = server.address();
                    return Err(Failure::new(format!("{address} does not say `{line}`:\n{said}")));
                }
            }
        }
        Ok(())
    }

    async fn introduce(&self, buses: &[String]) -> Result<(), Failure> {
        for (number, server) in self.servers.iter().enumerate() {
            let (first, end) = (first_slot(number), first_slot(number + 1));
            let (first, last) = (first.to_string(), (end - 1).to_string());
            server.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await?.ok()?;
            let epoch = (number + 1).to_string();
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await?.ok()?;
        }
        for (server, bus) in self.servers.iter().zip(buses).skip(1) {
            let (host, port) = (server.address().ip().to_string(), server.address().port());
            let words = ["CLUSTER", "MEET", &host, &port.to_string(), bus];
            self.servers[0].command(&words).await?.ok()?;
        }
        Ok(())
    }
}

/// Where a primary's slots begin, and those of the one before it end.
fn first_slot(number: usize) -> usize {
    number * SLOTS / PRIMARIES
}
