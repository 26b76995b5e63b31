//! Real Redis for trials: one server ([`RedisServer`]), a primary with a replica and sentinels
//! ([`RedisPair`]), a cluster of three ([`RedisCluster`]). Each is processes of its own on free
//! ports of this machine, in a folder of its own, and ends when it is dropped.

mod certificates;
mod cluster;
mod options;
mod pair;
mod resp;
mod server;

pub use certificates::Certificates;
pub use cluster::RedisCluster;
pub use options::RedisOptions;
pub use pair::RedisPair;
pub use resp::{COMMAND_PATIENCE, Connection, Reply};
pub use server::RedisServer;
