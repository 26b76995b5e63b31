//! `forebay run`: a gateway in the foreground, until it is told to end.

mod operators;

use std::fmt;
use std::future::Future;
use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::sync::Arc;

use forebay_cache::mechanism::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use self::operators::Operators;
use crate::admin::{Desks, Phase};
use crate::cli::RunArgs;
use crate::commands::check;
use crate::commands::runtime::runtime;
use crate::config::{self, Colours, Config, Listen, Switch, UpstreamSettings};
use crate::gateway::Gateway;
use crate::route_watch;
use crate::server::proxy_protocol::Spokesmen;
use crate::server::{BindError, Drained, Server};
use crate::storage::{self, Storage};
use crate::telemetry::{AccessLog, Telemetry};
use crate::tls::Tls;
use crate::upstream::{Destinations, Networks, Own};

/// Runs a gateway; 0 when it was told to end, 1 when it could not begin.
pub fn run(args: &RunArgs) -> ExitCode {
    trace_to_stderr();
    let config = match config::from_run(args) {
        Ok(config) => config,
        Err(problems) => {
            let is_plain = !stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some();
            say(&problems.human(if is_plain { Colours::Off } else { Colours::On }));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime(config.workers)
        .map_err(|cause| cannot("start the runtime", cause))
        .and_then(|runtime| runtime.block_on(serve(config, told_to_end(), || {})));
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("forebay: {message}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Serves until `end` is ready, then drains. `ready` is called when clients are accepted.
pub async fn serve(
    config: Config,
    end: impl Future<Output = ()>,
    ready: impl FnOnce(),
) -> Result<Drained, String> {
    let tls = match config.tls.is_on() {
        true => Some(Tls::open(&config.tls).map_err(|cause| cause.to_string())?),
        false => None,
    };
    let clients = bind(&config, tls.as_ref()).map_err(|cause| cause.to_string())?;
    let operators = Operators::bind(&config)?;
    let telemetry =
        Telemetry { metrics: Arc::default(), access_log: AccessLog::on_stdout(config.access_log) };
    let own = Own {
        public: clients.listening().to_vec(),
        admin: operators.as_ref().map(Operators::address),
    };
    let destinations = Arc::new(Destinations::new(config.destinations.clone(), own));
    let networks = Networks::new(destinations.clone());
    let connects = move |settings: &UpstreamSettings| networks.network(settings.resolve_interval);
    let storage = Storage::open(&config, Clock::system()).map_err(|cause| cause.to_string())?;
    if let Err(why) = storage.connected().await {
        say(&format!("forebay: goes on without Redis until it can be reached: {why}\n"));
    }
    let source = storage::open_routes(&config).map_err(|cause| cause.to_string())?;
    let gateway =
        Gateway::new(config, Arc::new(connects), telemetry, clients.stats(), storage, source)
            .map_err(|cause| cause.to_string())?;
    let desks = Desks::open(&gateway).map_err(|cause| cause.to_string())?;
    watch_routes(&gateway).await;
    if let Some(tls) = tls {
        tls.open_store().map_err(|cause| cause.to_string())?;
        borrow_certificates(&gateway, &tls);
        tokio::spawn(Arc::clone(&tls).watch());
        tokio::spawn(Arc::clone(&tls).keep_given());
        gateway.secure(tls);
    }
    say(&banner(&gateway, clients.listening(), operators.as_ref()));
    let (phase, watched) = watch::channel(Phase::Serving);
    let sweeper = gateway.clone();
    tokio::spawn(async move { sweeper.sweep().await });
    let _operators = operators.map(|it| it.serve(gateway.clone(), watched, destinations, desks));
    ready();
    let draining = async {
        end.await;
        // Who watches the other end may be gone already.
        let _ = phase.send(Phase::Draining);
        say("forebay: draining; a second signal ends it at once\n");
    };
    let ended = tokio::select! {
        drained = clients.serve(gateway.clone(), draining) => Ok(drained),
        () = told(2) => Err("ended at once, with exchanges under way".to_owned()),
    };
    gateway.storage().log.leave().await;
    tokio::task::block_in_place(|| {
        gateway.storage().close();
        gateway.routes().iter().for_each(|routes| route_watch::close(routes));
    });
    ended
}

/// Lets certificates be looked up in the Redis of the cache, where that is wanted.
fn borrow_certificates(gateway: &Gateway, tls: &Tls) {
    let (config, shared) = (gateway.config(), &gateway.storage().shared);
    if let (Switch::On, Some(shared), Some(redis)) = (config.tls.redis, shared, &config.redis) {
        tls.borrow_from(Arc::clone(&shared.link), &redis.prefix);
    }
}

/// All places where clients are accepted, in the clear and by TLS.
fn bind(config: &Config, tls: Option<&Arc<Tls>>) -> Result<Server, BindError> {
    let mut clients = Server::bind(&config.listen, &config.limits)?;
    if let Some(tls) = tls {
        clients = clients.and_secured(&config.tls.listen, tls)?;
    }
    Ok(clients.with_spokesmen(Spokesmen::of(&config.proxy_protocol)))
}

/// Takes the routes that the disk knows, and begins to keep them as Redis has them. Waits for Redis as
/// long as connecting may take: requests that come earlier find no more than what the disk knows.
async fn watch_routes(gateway: &Gateway) {
    let Some(routes) = gateway.routes() else { return };
    tokio::task::block_in_place(|| route_watch::restore(routes));
    tokio::spawn(route_watch::watch(Arc::clone(routes)));
    let limit = gateway.config().routes_redis().map(|redis| redis.connect_timeout);
    if !routes.ready(limit.unwrap_or_default()).await {
        say("forebay: goes on with the routes that it knows until Redis can be reached\n");
    }
}

/// Where it listens, what it keeps and where, and how to see why something was a miss.
fn banner(gateway: &Gateway, clients: &[Listen], operators: Option<&Operators>) -> String {
    let mut shown = gateway.config().clone();
    let (plain, secured) = clients.split_at(shown.listen.len().min(clients.len()));
    (shown.listen, shown.tls.listen) = (plain.to_vec(), secured.to_vec());
    let mut text = format!("forebay {}\n{}", env!("CARGO_PKG_VERSION"), check::summary(&shown));
    text += &operators.map(Operators::banner).unwrap_or_default();
    if let Some(Listen::Tcp(address)) = clients.first() {
        text += &format!(
            "why a miss  curl -so /dev/null -D - http://{address}/ | grep -i cache-status   (or --log text)\n"
        );
    }
    text
}

/// SIGTERM or SIGINT.
pub async fn told_to_end() {
    told(1).await;
}

/// So many of SIGTERM and SIGINT, heard by one pair of ears, so that none is missed in between.
async fn told(times: usize) {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    for _ in 0..times {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }
}

/// Everything that is not the access log goes to standard error; `RUST_LOG` says how much.
fn trace_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // Whoever has set another subscriber wants that one.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).try_init();
}

fn cannot(tried: &str, cause: impl fmt::Display) -> String {
    format!("cannot {tried}: {cause}")
}

/// Writes to standard error; who has closed the other end does not want to read it.
fn say(text: &str) {
    let mut to = stderr();
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
