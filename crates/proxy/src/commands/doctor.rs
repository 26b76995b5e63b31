//! `forebay doctor`: connects to Redis, looks at the disk's directory and, where a file says all that a
//! gateway is told, at the machine; and says what is wrong there.

mod connect;
mod disk;
mod finding;
mod holes;
mod places;
mod server;
mod system;
mod visit;

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

pub use finding::{Examined, Finding, Weight};

use crate::cli::{DoctorArgs, RunArgs};
use crate::commands::runtime::runtime;
use crate::config::text::in_time;
use crate::config::{self, Config, Problems, RedisSettings, Tiers};

/// How long a whole examination of Redis may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Threads for an examination, which waits most of its time.
const WORKERS: usize = 1;

/// Examines the tiers and the machine; 0 when nothing is wrong, 1 when something is, 2 when nothing is
/// named.
pub fn run(args: &DoctorArgs) -> ExitCode {
    let Patient { tiers, config } = match patient(args) {
        Ok(patient) => patient,
        Err(problems) => {
            say(&mut stderr(), &problems.plain());
            return ExitCode::from(1);
        }
    };
    if config.is_none() && tiers.disk.is_none() && tiers.redis.is_none() {
        let message = "nothing to examine: no disk and no Redis is named; say --redis URL, \
                       --disk DIR:SIZE, or --config FILE\n";
        say(&mut stderr(), message);
        return ExitCode::from(2);
    }
    let mut examined = Vec::new();
    if let Some(config) = &config {
        examined.push(system::examine(config));
        examined.extend(places::examine(config));
    }
    examined.extend(tiers.disk.iter().map(disk::examine));
    let of_routes = config.iter().filter_map(|config| config.dynamic.as_ref()?.redis.as_ref());
    for settings in tiers.redis.iter().chain(of_routes) {
        examined.extend(redis_within(settings, PATIENCE));
    }
    let shown: String = examined.iter().map(Examined::to_string).collect();
    say(&mut stdout(), &shown);
    match examined.iter().any(Examined::is_ill) {
        true => ExitCode::from(1),
        false => ExitCode::SUCCESS,
    }
}

/// Why a gateway may be killed for the memory that it takes, where it is told to take more than there is.
pub fn shortage_of_memory(config: &Config) -> Option<Finding> {
    system::shortage(config)
}

/// Looks at every server of a Redis, no longer than this.
pub fn redis_within(settings: &RedisSettings, patience: Duration) -> Vec<Examined> {
    let ill = |message: String| {
        vec![Examined::new(settings.url(), None, vec![Finding::problem(message)])]
    };
    let runtime = match runtime(Some(WORKERS)) {
        Ok(runtime) => runtime,
        Err(cause) => return ill(format!("cannot start the runtime: {cause}")),
    };
    let examined = runtime
        .block_on(async { tokio::time::timeout(patience, visit::examine(settings)).await })
        .unwrap_or_else(|_| ill(format!("it did not answer within {}", in_time(patience))));
    // A name that is still being looked up does not hold up the end.
    runtime.shutdown_background();
    examined
}

/// Who is examined.
struct Patient {
    tiers: Tiers,
    /// All that a gateway is told, where a file says it.
    config: Option<Config>,
}

fn patient(args: &DoctorArgs) -> Result<Patient, Problems> {
    if args.config.is_none() {
        return Ok(Patient { tiers: config::tiers(&args.tiers)?, config: None });
    }
    let run_args =
        RunArgs { config: args.config.clone(), tiers: args.tiers.clone(), ..RunArgs::default() };
    let config = config::from_run(&run_args)?;
    let tiers = Tiers { disk: config.disk.clone(), redis: config.redis.clone() };
    Ok(Patient { tiers, config: Some(config) })
}

/// Writes; who has closed the other end does not want to read it.
fn say(to: &mut impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
