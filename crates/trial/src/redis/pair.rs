//! A primary, its replica, and three sentinels that watch over them.

use std::net::SocketAddr;
use std::time::Duration;

use super::options::TRIAL;
use super::{RedisOptions, RedisServer, Reply};
use crate::Failure;
use crate::patience::Patience;

/// What the sentinels call the pair.
const SERVICE: &str = "trial";

/// How many sentinels there are, and how many must agree.
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// How long they may take to find each other, or to agree on another primary.
const AGREE_PATIENCE: Duration = Duration::from_secs(45);

/// How long a primary is silent before a sentinel believes that it is down.
const DOWN_AFTER: Duration = Duration::from_millis(500);

/// Two servers, one of them the primary, and three sentinels. Dropped, all end.
pub struct RedisPair {
    servers: [RedisServer; 2],
    sentinels: Vec<RedisServer>,
}

impl RedisPair {
    /// Starts a pair that is open to all.
    pub async fn start() -> Result<Self, Failure> {
        RedisPair::with(RedisOptions::new()).await
    }

    /// Starts a pair of servers that are as these options say, and waits until the sentinels know
    /// all there is to know. The first server begins as the primary.
    pub async fn with(options: RedisOptions) -> Result<Self, Failure> {
        let options = options.line("repl-diskless-sync-delay 0").line("repl-ping-replica-period 1");
        let primary = options.clone().start().await?;
        let (host, port) = (primary.address().ip(), primary.address().port());
        let replica = options.line(&format!("replicaof {host} {port}")).start().await?;
        let mut patience = Patience::new("the replica is in step", AGREE_PATIENCE);
        while let Err(seen) = in_step(&replica).await {
            patience.again(seen).await?;
        }
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            sentinels.push(RedisServer::sentinel(&watching(primary.address())).await?);
        }
        let pair = RedisPair { servers: [primary, replica], sentinels };
        let mut patience = Patience::new("the sentinels know each other", AGREE_PATIENCE);
        while let Err(seen) = pair.settled().await {
            patience.again(seen).await?;
        }
        Ok(pair)
    }

    /// What the sentinels call it.
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// Where the sentinels listen.
    pub fn sentinel_addresses(&self) -> Vec<SocketAddr> {
        self.sentinels.iter().map(RedisServer::address).collect()
    }

    /// A sentinel, to be asked, stalled or killed.
    pub fn sentinel(&mut self, number: usize) -> &mut RedisServer {
        &mut self.sentinels[number]
    }

    /// The server that began as the primary (0) or as the replica (1).
    pub fn server(&mut self, number: usize) -> &mut RedisServer {
        &mut self.servers[number]
    }

    /// The primary, as the sentinels that answer say.
    pub async fn primary(&mut self) -> Result<&mut RedisServer, Failure> {
        let address = self.primary_address().await?;
        let found = self.servers.iter_mut().find(|server| server.address() == address);
        found.ok_or_else(|| Failure::new(format!("the primary at {address} is none of ours")))
    }

    /// Where the primary is, as the first sentinel that answers says.
    pub async fn primary_address(&self) -> Result<SocketAddr, Failure> {
        let mut failure = Failure::new("there is no sentinel");
        for sentinel in &self.sentinels {
            match named_by(sentinel).await {
                Ok(address) => return Ok(address),
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }

    /// Has the sentinels make the replica the primary, and waits until it is.
    pub async fn fail_over(&self) -> Result<(), Failure> {
        let old = self.primary_address().await?;
        let mut patience = Patience::new("a failover begins", AGREE_PATIENCE);
        while let Err(seen) = self.order_failover().await {
            patience.again(seen).await?;
        }
        self.moved_from(old).await
    }

    /// Kills the primary and says where it was; the sentinels will notice, see
    /// [`RedisPair::moved_from`].
    pub async fn kill_primary(&mut self) -> Result<SocketAddr, Failure> {
        let primary = self.primary().await?;
        primary.kill().await?;
        Ok(primary.address())
    }

    /// Waits until all sentinels name another primary than this, and it takes writes.
    pub async fn moved_from(&self, old: SocketAddr) -> Result<(), Failure> {
        let mut patience = Patience::new("there is another primary", AGREE_PATIENCE);
        while let Err(seen) = self.has_moved_from(old).await {
            patience.again(seen).await?;
        }
        Ok(())
    }

    async fn order_failover(&self) -> Result<(), Failure> {
        self.sentinels[0].command(&["SENTINEL", "FAILOVER", SERVICE]).await?.ok()
    }

    async fn has_moved_from(&self, old: SocketAddr) -> Result<(), Failure> {
        for sentinel in &self.sentinels {
            if named_by(sentinel).await? == old {
                return Err(Failure::new(format!("a sentinel still names {old}")));
            }
        }
        for server in self.servers.iter().filter(|server| server.address() != old) {
            let role = server.says("role").await?;
            if role != "master" {
                return Err(Failure::new(format!("{} is a {role}", server.address())));
            }
        }
        Ok(())
    }

    /// Whether each sentinel knows the other two and the replica.
    async fn settled(&self) -> Result<(), Failure> {
        for sentinel in &self.sentinels {
            let reply = sentinel.command(&["SENTINEL", "MASTER", SERVICE]).await?;
            let others = named(&reply, "num-other-sentinels")?;
            let replicas = named(&reply, "num-slaves")?;
            if (others.as_str(), replicas.as_str()) != ("2", "1") {
                return Err(Failure::new(format!(
                    "one knows {others} other sentinels and {replicas} replicas"
                )));
            }
        }
        Ok(())
    }
}

async fn in_step(replica: &RedisServer) -> Result<(), Failure> {
    match replica.says("master_link_status").await?.as_str() {
        "up" => Ok(()),
        other => Err(Failure::new(format!("its link is {other}"))),
    }
}

fn watching(primary: SocketAddr) -> [String; 6] {
    let (host, port) = (primary.ip(), primary.port());
    [
        format!("sentinel monitor {SERVICE} {host} {port} {QUORUM}"),
        format!("sentinel auth-user {SERVICE} {TRIAL}"),
        format!("sentinel auth-pass {SERVICE} {TRIAL}"),
        format!("sentinel down-after-milliseconds {SERVICE} {}", DOWN_AFTER.as_millis()),
        format!("sentinel failover-timeout {SERVICE} 4000"),
        format!("sentinel parallel-syncs {SERVICE} 1"),
    ]
}

async fn named_by(sentinel: &RedisServer) -> Result<SocketAddr, Failure> {
    let reply = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await?;
    let words = reply.members()?.iter().map(Reply::text).collect::<Result<Vec<_>, _>>()?;
    let address = words.join(":");
    address.parse().map_err(|_| Failure::new(format!("`{address}` is no address")))
}

/// A value in a flat list of names and values.
fn named(reply: &Reply, name: &str) -> Result<String, Failure> {
    for pair in reply.members()?.chunks(2) {
        if let [found, value] = pair
            && found.text()? == name
        {
            return value.text();
        }
    }
    Err(Failure::new(format!("the sentinel says no `{name}`")))
}
