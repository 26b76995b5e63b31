//! One node's status, gathered from all that counts.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::paced::Paced;
use super::{HotKey, NodeTold, RouteTold, Status, storage, story, traffic, upstreams};
use crate::admin::Phase;
use crate::gateway::Gateway;

/// How often memory is walked for what is hot.
const HOTTEST_PAUSE: Duration = Duration::from_secs(5);

/// How often Redis is asked who the nodes are.
const NODES_PAUSE: Duration = Duration::from_secs(1);

/// How often the routes in Redis are walked for those that have been used.
const USED_PAUSE: Duration = Duration::from_secs(1);

/// Tells how a node is. Cloning it shares it.
#[derive(Clone)]
pub struct StatusDesk(Arc<Desk>);

struct Desk {
    began: Instant,
    hottest: Paced<Vec<HotKey>>,
    nodes: Paced<Vec<NodeTold>>,
    used: Paced<(Vec<RouteTold>, u64)>,
}

impl StatusDesk {
    /// For a node that begins now.
    pub fn open() -> Self {
        StatusDesk(Arc::new(Desk {
            began: Instant::now(),
            hottest: Paced::new(HOTTEST_PAUSE),
            nodes: Paced::new(NODES_PAUSE),
            used: Paced::new(USED_PAUSE),
        }))
    }

    /// How the node of this gateway is.
    pub async fn status(&self, gateway: &Gateway, phase: Phase) -> Status {
        let hottest = self.0.hottest.read(storage::hottest(gateway)).await;
        let nodes = self.0.nodes.read(story::nodes(gateway)).await;
        let used = self.0.used.read(async { upstreams::used(gateway) }).await;
        let totals = gateway.telemetry().metrics.totals();
        let cache = gateway.cache().snapshot();
        let (routes, routes_left_out) = upstreams::routes(gateway);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: gateway.storage().node_name().to_owned(),
            phase: phase.word().to_owned(),
            at_millis: story::since_epoch(SystemTime::now()),
            uptime_millis: story::millis(self.0.began.elapsed()),
            traffic: traffic::traffic(&totals),
            answers: traffic::latency(&totals.answers),
            origins: traffic::latency(&totals.origins),
            clients: traffic::clients(gateway.stats(), cache.flights),
            tiers: storage::tiers(gateway, &cache),
            hottest: hottest.to_vec(),
            reasons: traffic::reasons(&totals),
            routes,
            routes_left_out,
            routes_in_redis: gateway
                .routes()
                .map(|routes| upstreams::in_redis(&routes.counts(), (*used).clone())),
            log: story::log(gateway),
            nodes: nodes.to_vec(),
            purges: story::purges(gateway),
            problems: story::problems(gateway),
        }
    }
}
