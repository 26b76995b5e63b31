//! The simulated stage: the gateway inside this process, pipes for sockets, and a clock that moves
//! only when everybody waits.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use forebay::config::{self, AccessLog, Limits, UpstreamSettings};
use forebay::gateway::Gateway;
use forebay::server::{Peer, ServerStats, Transport, serve_connection};
use forebay::storage::Storage;
use forebay::telemetry::{self, Telemetry};
use forebay::upstream::{Connect, Connecting, MemberAddress};
use forebay_cache::mechanism::{Clock, Timestamp};
use tokio::time::Instant;

use crate::Failure;
use crate::engine::{self, Ending};
use crate::origin::Origin;
use crate::real::without_listeners;
use crate::script::{Script, Told};
use crate::stage::{Passed, Stage};
use crate::suite::Outcome;
use crate::wire::Wire;

/// Where a simulation's clock stands at its beginning: in November 2026.
const BEGIN: Duration = Duration::from_secs(1_795_000_000);

/// Bytes that wait in one direction of a pipe.
const PIPE_BYTES: usize = 64 * 1024;

/// How long nothing must happen. Everybody waits by then: the clock would not move otherwise.
const MOMENT: Duration = Duration::from_millis(1);

/// A gateway in this process before an origin in this process.
pub struct Simulated {
    gateway: Gateway,
    limits: Limits,
    origin: Origin,
    began: Instant,
}

impl Simulated {
    /// The gateway with these tables in its configuration. To be called on a paused runtime.
    pub fn start(script: &Script) -> Result<Self, Failure> {
        let text = without_listeners("http://127.0.0.1:1", &script.tables);
        let mut config = config::parse(&script.path.to_string_lossy(), &text)
            .map_err(|problems| Failure::new(problems.to_string()))?;
        config.access_log = AccessLog::Off;
        let limits = config.limits.clone();
        let origin = Origin::new();
        let begin = u64::try_from(BEGIN.as_millis()).unwrap_or(u64::MAX);
        let clock = Clock::virtual_from(Timestamp::from_millis(begin));
        let connect: Arc<dyn Connect> = Arc::new(Pipe(origin.clone()));
        let log = telemetry::AccessLog::on_stdout(AccessLog::Off);
        let telemetry =
            Telemetry { metrics: Arc::default(), access_log: log, tracer: Default::default() };
        let ways = move |_: &UpstreamSettings| Arc::clone(&connect);
        let stats = Arc::new(ServerStats::default());
        let storage = Storage::of_memory(&config, clock);
        let gateway = Gateway::new(config, Arc::new(ways), telemetry, stats, storage, None)
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(Simulated { gateway, limits, origin, began: Instant::now() })
    }
}

/// Leads every member's connection to the origin in this process.
struct Pipe(Origin);

impl Connect for Pipe {
    fn connect(&self, _member: &MemberAddress) -> Connecting {
        let wire = self.0.dial();
        Box::pin(async move { wire.map(|wire| Box::new(wire) as Box<dyn forebay::answer::Duplex>) })
    }
}

impl Stage for Simulated {
    async fn dial(&self) -> io::Result<Wire> {
        let (client, gateway) = tokio::io::duplex(PIPE_BYTES);
        // A TCP peer, as over sockets: `X-Forwarded-For` names it.
        let address = |port: u16| Some(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let peer =
            Peer { address: address(50_000), local: address(8080), transport: Transport::Plain };
        tokio::spawn(serve_connection(gateway, peer, self.limits.clone(), self.gateway.clone()));
        Ok(Box::new(client))
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn shut_origin(&mut self) -> Result<(), Failure> {
        self.origin.shut().await;
        Ok(())
    }

    async fn open_origin(&mut self) -> Result<(), Failure> {
        self.origin.open();
        Ok(())
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + BEGIN + self.began.elapsed()
    }

    async fn pass(&self, span: Duration) -> Passed {
        tokio::time::sleep(span).await;
        Passed::Gone
    }

    fn moment(&self) -> Duration {
        MOMENT
    }
}

/// Tells every script in the simulator, each on a runtime and in a thread of its own, so that a
/// panic ends one story alone.
pub fn tell_all(scripts: Vec<Script>) -> Outcome {
    let mut outcome = Outcome::default();
    for script in scripts {
        let told = std::thread::scope(|scope| scope.spawn(|| tell(&script)).join());
        let told = told.unwrap_or_else(|_| Err(Failure::new("the gateway panicked")));
        outcome.note(&script, told);
    }
    outcome
}

/// Tells one script in the simulator.
pub fn tell(script: &Script) -> Result<Ending, Failure> {
    if matches!(script.told, Told::Real(_)) {
        return Ok(Ending::Until(1));
    }
    let mut still = tokio::runtime::Builder::new_current_thread();
    let runtime = still.enable_all().start_paused(true).build()?;
    runtime.block_on(async { engine::tell(script, &mut Simulated::start(script)?).await })
}
