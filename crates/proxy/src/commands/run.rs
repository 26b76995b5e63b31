//! `forebay run`: a gateway in the foreground, until it is told to end or another process takes over.

mod operators;
mod signals;

use std::fmt;
use std::future::Future;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use forebay_cache::mechanism::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::block_in_place;

use self::operators::Operators;
use self::signals::Signals;
use crate::admin::{Desks, Life, Phase};
use crate::cli::RunArgs;
use crate::commands::runtime::runtime;
use crate::commands::{check, doctor};
use crate::config::{self, Colours, Config, Limits, Listen, Problems, UpstreamSettings};
use crate::front::Front;
use crate::gateway::{Connects, Gateway, Live};
use crate::guard::Gate;
use crate::reload::{self, Bent, Reloadable, Reloader, Reloads};
use crate::route_watch;
use crate::server::{Drained, Inherited, NextTerms, Server};
use crate::storage::{self, Storage};
use crate::succession::{Legacy, Successor, Upgrader};
use crate::systemd::{self, Notify};
use crate::telemetry::{AccessLog, Telemetry};
use crate::terminal::say;
use crate::traces::{self, Tracer};
use crate::upstream::{Destinations, Networks, Own};

/// How long a connection without a request is borne with when another process has taken over: its
/// next request is answered, and then it ends.
const IDLE_LINGER: Duration = Duration::from_secs(5);

/// How a process comes to be, beside its configuration.
#[derive(Default)]
struct Start {
    /// The flags, where the process can read its configuration again.
    args: Option<RunArgs>,
    /// Sockets that it need not bind.
    inherited: Inherited,
    /// The process that it takes over from.
    successor: Option<Successor>,
    notify: Notify,
}

/// The exit status where the flags or the file are wrong: who starts it again meets the same. So it
/// is with flags that cannot be parsed, too.
const UNUSABLE: u8 = 2;

/// Runs a gateway; 0 when it was told to end or was succeeded, 1 when it could not begin, 2 when it
/// cannot as long as the flags or the file say what they say.
pub fn run(args: &RunArgs) -> ExitCode {
    trace_to_stderr();
    raise_open_files();
    let start = match start(args) {
        Ok(start) => start,
        Err(message) => {
            say(&format!("forebay: {message}\n"));
            return ExitCode::FAILURE;
        }
    };
    let config = match config::from_run(args) {
        Ok(config) => config,
        Err(problems) => {
            say(&shown(&problems));
            if let Some(successor) = start.successor {
                successor.give_up(problems.plain().trim_end());
            }
            return ExitCode::from(UNUSABLE);
        }
    };
    if let Some(finding) = doctor::shortage_of_memory(&config) {
        say(&format!("forebay: {finding}\n"));
    }
    let done = runtime(config.workers)
        .map_err(|cause| cannot("start the runtime", cause))
        .and_then(|runtime| runtime.block_on(serve_from(config, start, told_to_end(), || {})));
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("forebay: {message}\n"));
            ExitCode::FAILURE
        }
    }
}

/// With the lines of the file for who sits before a terminal; elsewhere, as in a journal, a line each.
fn shown(problems: &Problems) -> String {
    match (stderr().is_terminal(), std::env::var_os("NO_COLOR")) {
        (false, _) => problems.plain(),
        (true, Some(_)) => problems.human(Colours::Off),
        (true, None) => problems.human(Colours::On),
    }
}

/// Every connection is an open file, and most systems let a process have more than they give it.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused, what there is has to do; `forebay doctor` says whether it does.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// What the environment says of this process.
fn start(args: &RunArgs) -> Result<Start, String> {
    let (args, notify) = (Some(args.clone()), Notify::from_environment());
    Ok(match Successor::from_environment()? {
        Some((successor, inherited)) => {
            Start { args, inherited, successor: Some(successor), notify }
        }
        None => Start { args, inherited: systemd::passed()?, successor: None, notify },
    })
}

/// Serves until `end` is ready, then drains. `ready` is called when clients are accepted.
pub async fn serve(
    config: Config,
    end: impl Future<Output = ()>,
    ready: impl FnOnce(),
) -> Result<Drained, String> {
    serve_from(config, Start::default(), end, ready).await
}

async fn serve_from(
    config: Config,
    start: Start,
    end: impl Future<Output = ()>,
    ready: impl FnOnce(),
) -> Result<Drained, String> {
    let Start { args, inherited, mut successor, notify } = start;
    let args = args.map(|args| (Signals::hear(&args), args));
    let opened = Opened::open(config, inherited, successor.as_mut()).await;
    let opened = match opened {
        Ok(opened) => opened,
        Err(why) => {
            successor.into_iter().for_each(|successor| successor.give_up(&why));
            return Err(why);
        }
    };
    let token = match successor {
        Some(mut successor) => {
            let token = successor.token.take();
            block_in_place(|| successor.take_over())?;
            token
        }
        None => None,
    };
    opened.serve(args, token, notify, end, ready).await
}

/// All that a process needs before it accepts clients.
struct Opened {
    clients: Server,
    operators: Option<Operators>,
    /// The sockets of systemd, and those of them that are for clients.
    activated: Vec<Listen>,
    for_clients: Vec<Listen>,
    destinations: Arc<Destinations>,
    live: Live,
    desks: Desks,
}

impl Opened {
    async fn open(
        config: Config,
        mut inherited: Inherited,
        successor: Option<&mut Successor>,
    ) -> Result<Self, String> {
        let activated = inherited.activated();
        let of_operators = inherited.of_operators();
        let for_clients = inherited.activated();
        let Front { wanted, tls } = Front::open(&config, &for_clients)?;
        // Before clients are: who sees that these are accepted may ask as an operator already.
        let operators = Operators::bind(&config, of_operators)?;
        let clients = Server::bind_beside(&wanted, &config.limits, &mut inherited);
        let clients = clients.map_err(|cause| cause.to_string())?;
        // What nobody wants any more is closed by the last process that has it.
        drop(inherited);
        let access_log = AccessLog::open(&config)?;
        let own =
            Own { public: clients.listening(), admin: operators.as_ref().map(Operators::address) };
        let destinations = Arc::new(Destinations::new(config.destinations.clone(), own));
        let networks = Networks::new(destinations.clone());
        let connects =
            move |settings: &UpstreamSettings| networks.network(settings.resolve_interval);
        if let Some(successor) = successor {
            block_in_place(|| successor.wait_for_storage())?;
        }
        let storage = Storage::open(&config, Clock::system()).map_err(|cause| cause.to_string())?;
        if let Err(why) = storage.connected().await {
            say(&format!("forebay: goes on without Redis until it can be reached: {why}\n"));
        }
        let source = storage::open_routes(&config).map_err(|cause| cause.to_string())?;
        let stats = clients.stats();
        let connects: Arc<Connects> = Arc::new(connects);
        let tracer = tracer(&config, &*connects)?;
        let telemetry = Telemetry { metrics: Arc::default(), access_log, tracer };
        let gateway = Gateway::new(config, connects, telemetry, stats, storage, source);
        let gateway = gateway.map_err(|cause| cause.to_string())?;
        watch_routes(&gateway).await;
        if let Some(tls) = tls {
            gateway.secure(Arc::clone(&tls));
            tls.keep();
        }
        let live = Live::of(gateway);
        let desks = Desks::open(&live, Life::default()).map_err(|cause| cause.to_string())?;
        Ok(Opened { clients, operators, activated, for_clients, destinations, live, desks })
    }

    async fn serve(
        self,
        args: Option<(Signals, RunArgs)>,
        of_predecessor: Option<String>,
        notify: Notify,
        end: impl Future<Output = ()>,
        ready: impl FnOnce(),
    ) -> Result<Drained, String> {
        let Opened { clients, operators, activated, for_clients, destinations, live, mut desks } =
            self;
        let gateway = live.now();
        let gate =
            operators.as_ref().map(|it| it.gate(gateway.config(), of_predecessor.as_deref()));
        say(&banner(&gateway, &clients.listening(), operators.as_ref().zip(gate.as_deref())));
        let legacy = Legacy {
            clients: clients.estate(),
            operators: operators.as_ref().map(Operators::estate),
            activated,
            gate: gate.clone(),
        };
        let terms = clients.terms();
        let reloaded = Reloadable {
            live: live.clone(),
            destinations: Arc::clone(&destinations),
            places: clients.places(),
            activated: for_clients,
            gate: gate.clone(),
            terms: bent(&terms, operators.as_ref()),
        };
        let (life, succeeded) = life(args, reloaded, legacy, &notify);
        desks.life = life;
        let (phase, watched) = watch::channel(Phase::Serving);
        let sweeper = gateway.clone();
        tokio::spawn(async move { sweeper.sweep().await });
        let operators = operators.zip(gate).map(|(operators, gate)| {
            operators.serve(live.clone(), watched, gate, destinations, desks)
        });
        drop(gateway);
        ready();
        notify.ready();
        let draining = async {
            tokio::select! {
                () = end => {
                    notify.stopping();
                    say("forebay: draining; a second signal ends it at once\n");
                }
                pid = succeeded_by(succeeded) => {
                    operators.iter().for_each(|operators| operators.leave());
                    terms.let_idle_linger(IDLE_LINGER);
                    say(&format!("forebay: process {pid} has taken over; draining\n"));
                }
            }
            // Who watches the other end may be gone already.
            let _ = phase.send(Phase::Draining);
        };
        let ended = tokio::select! {
            drained = clients.serve(live.clone(), draining) => Ok(drained),
            () = told(2) => Err("ended at once, with exchanges under way".to_owned()),
        };
        close(&live.now(), operators).await;
        ended
    }
}

/// The way to the collector of spans, if there is one.
fn tracer(config: &Config, connects: &Connects) -> Result<Tracer, String> {
    let Some(settings) = &config.traces else { return Ok(Tracer::default()) };
    let opened = traces::open(settings, &config.name, connects);
    opened.map(Tracer::to).map_err(|cause| format!("cannot use `endpoint` of `[traces]`: {cause}"))
}

async fn close(gateway: &Gateway, operators: Option<operators::Answering>) {
    gateway.telemetry().tracer.close().await;
    gateway.storage().log.leave().await;
    if let Some(operators) = operators {
        operators.end().await;
    }
    block_in_place(|| {
        gateway.storage().close();
        // Who has taken over keeps the table.
        if !gateway.storage().is_given_away() {
            gateway.routes().iter().for_each(|routes| route_watch::close(routes));
        }
    });
}

/// Whose limits a reload changes, and how they are those of the configuration.
fn bent(clients: &NextTerms, operators: Option<&Operators>) -> Vec<Bent> {
    let mut all: Vec<Bent> = vec![(clients.clone(), Limits::clone)];
    all.extend(operators.map(|it| (it.terms(), operators::limits as fn(&Limits) -> Limits)));
    all
}

/// How a process that was started with flags goes on: by reloads, by upgrades, by signals.
fn life(
    args: Option<(Signals, RunArgs)>,
    reloaded: Reloadable,
    legacy: Legacy,
    notify: &Notify,
) -> (Life, watch::Receiver<Option<u32>>) {
    let live = reloaded.live.clone();
    let (upgrader, succeeded) = Upgrader::new(live.clone(), legacy, notify.clone());
    let Some((signals, args)) = args else { return (Life::default(), succeeded) };
    let reloader = Arc::new(Reloader {
        args,
        reloaded,
        notify: notify.clone(),
        told: Reloads::default().into(),
    });
    tokio::spawn(reload::watch(Arc::clone(&reloader)));
    tokio::spawn(signals.heed(live, Arc::clone(&reloader), Arc::clone(&upgrader)));
    (Life { reloader: Some(reloader), upgrader: Some(upgrader) }, succeeded)
}

async fn succeeded_by(mut told: watch::Receiver<Option<u32>>) -> u32 {
    match told.wait_for(Option::is_some).await.map(|pid| *pid) {
        Ok(Some(pid)) => pid,
        // Nobody can start a successor any more.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

/// Takes the routes that the disk knows, and begins to keep them as Redis has them. Waits for Redis as
/// long as connecting may take: requests that come earlier find no more than what the disk knows.
async fn watch_routes(gateway: &Gateway) {
    let Some(routes) = gateway.routes() else { return };
    block_in_place(|| route_watch::restore(routes));
    tokio::spawn(route_watch::watch(Arc::clone(routes)));
    let limit = gateway.config().routes_redis().map(|redis| redis.connect_timeout);
    if !routes.ready(limit.unwrap_or_default()).await {
        say("forebay: goes on with the routes that it knows until Redis can be reached\n");
    }
}

/// Where it listens, what it keeps and where, and how to see why something was a miss.
fn banner(gateway: &Gateway, clients: &[Listen], operators: Option<(&Operators, &Gate)>) -> String {
    let mut shown = gateway.config().clone();
    shown.admin = operators.map(|(operators, _)| operators.address());
    let (plain, secured) = clients.split_at(clients.len().saturating_sub(shown.tls.listen.len()));
    (shown.listen, shown.tls.listen) = (plain.to_vec(), secured.to_vec());
    let mut text = format!("forebay {}\n{}", env!("CARGO_PKG_VERSION"), check::summary(&shown));
    text += &operators.map(|(operators, gate)| operators.banner(gate)).unwrap_or_default();
    let url = match (plain.first(), secured.first()) {
        (Some(Listen::Tcp(address)), _) => Some(format!("-so /dev/null -D - http://{address}/")),
        // Whose name the certificate bears is not known here.
        (None, Some(Listen::Tcp(address))) => {
            Some(format!("-sko /dev/null -D - https://{address}/"))
        }
        (_, _) => None,
    };
    text += &url.map_or(String::new(), |url| {
        format!("why a miss  curl {url} | grep -i cache-status   (or --log text)\n")
    });
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
