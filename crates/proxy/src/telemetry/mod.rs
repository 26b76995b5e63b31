//! What is told to the outside of each exchange: `Cache-Status`, the access log and the metrics,
//! all from one value, the [`Record`](crate::record::Record). What was refused before it was a request
//! has no exchange: it is a line in the log, from a [`Refused`], and the server counts it.

mod access_log;
mod compression;
mod histogram;
mod lately;
mod metrics;
mod process;
mod purges;
mod readings;
mod reloads;
mod routes;
mod storage;
mod telling;
mod tiers;
mod tls;
mod traces;
mod upstreams;

use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use access_log::rfc3339;
pub use access_log::{AccessLog, LINES_MAX, Opened};
pub use compression::write_compression;
pub use histogram::{BUCKETS_MICROS, Distribution};
pub use lately::{Lately, ORDERS_MAX, OrderTold, PROBLEMS_MAX, Problem};
pub use metrics::{Metrics, Totals};
pub use process::write_process;
pub use purges::write_purges;
pub use readings::{Reading, write_destinations, write_refused};
pub use reloads::write_reloads;
pub use routes::write_routes;
pub use storage::{write_disk, write_leases, write_redis};
pub use telling::Telling;
pub use tiers::write_tiers;
pub use tls::write_tls;
pub use traces::write_traces;
pub use upstreams::{MEMBERS_TOLD_MAX, write_upstreams};

use tokio::time::Instant;

use crate::server::{Refused, Request};
use crate::traceparent::Here;
use crate::traces::Tracer;

/// Where records go.
#[derive(Clone)]
pub struct Telemetry {
    /// The counters behind `/metrics`.
    pub metrics: Arc<Metrics>,
    /// The access log.
    pub access_log: AccessLog,
    /// Where exchanges stand in traces.
    pub tracer: Tracer,
}

impl Telemetry {
    /// Begins to tell of an exchange, whose head was read at that moment.
    pub fn begin(
        self: &Arc<Self>,
        request: &Request,
        began: Instant,
        here: Option<Here>,
    ) -> Telling {
        Telling::begin(Arc::clone(self), request, began, here)
    }

    /// Tells of a request that was refused a moment ago, before it was one. The server counts it.
    pub fn refused(&self, refused: &Refused) {
        self.access_log.write_refused(refused, SystemTime::now());
    }
}
