//! `forebay warm`: asks the gateway for what clients will ask for, so that it has it.
//!
//! `sitemap` reads what a sitemap says and `tally` what an answer means: both are pure. `visitor`
//! speaks to the gateway, `sources` finds the URLs, `progress` says how far it is.

mod progress;
mod sitemap;
mod sources;
mod tally;
mod target;
mod visitor;

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::progress::Progress;
use self::tally::{Ended, Tally};
use self::target::Target;
use self::visitor::{Asks, Visitor};
use crate::cli::WarmArgs;
use crate::commands::runtime::runtime;

/// Some could not be had.
const FAILED: u8 = 4;

/// As a shell says of what Ctrl-C ends.
const INTERRUPTED: u8 = 130;

/// Warms, and says what came of it.
pub fn run(args: &WarmArgs) -> ExitCode {
    let warmed = runtime(Some(1))
        .map_err(|cause| format!("cannot start the runtime: {cause}"))
        .and_then(|runtime| {
            let warmed = runtime.block_on(warm(args));
            // Standard input that is still being read does not hold up the end.
            runtime.shutdown_background();
            warmed
        });
    match warmed {
        Ok(code) => code,
        Err(message) => {
            let _ = stderr().write_all(format!("forebay warm: {message}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

async fn warm(args: &WarmArgs) -> Result<ExitCode, String> {
    let asks = Asks::of(&args.to, args.ca_file.as_deref(), &args.header)?;
    let began = Instant::now();
    let interrupted = crate::commands::run::told_to_end();
    tokio::pin!(interrupted);
    let found = tokio::select! {
        found = sources::urls(args, &asks) => found?,
        () = &mut interrupted => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let total = found.targets.len();
    let tally = Arc::new(Mutex::new(Tally::new(found.unusable)));
    let progress = Progress::show(Arc::clone(&tally), total, began);
    let ended = tokio::select! {
        () = visit_all(args, &asks, found.targets, &tally) => Ended::Whole,
        () = &mut interrupted => Ended::Early,
    };
    progress.end();
    let tally = tally.lock();
    print(args, &tally, total, began.elapsed(), ended);
    Ok(match (ended, tally.failed()) {
        (Ended::Early, _) => ExitCode::from(INTERRUPTED),
        (Ended::Whole, 0) => ExitCode::SUCCESS,
        (Ended::Whole, _) => ExitCode::from(FAILED),
    })
}

/// Asks for all of them. Dropped, it asks no more.
async fn visit_all(args: &WarmArgs, asks: &Asks, targets: Vec<Target>, tally: &Arc<Mutex<Tally>>) {
    let (give, taken) = mpsc::channel(usize::from(args.concurrency));
    let taken = Arc::new(tokio::sync::Mutex::new(taken));
    let mut visitors = JoinSet::new();
    for _ in 0..args.concurrency {
        let (taken, tally) = (Arc::clone(&taken), Arc::clone(tally));
        let mut visitor = Visitor::new(asks.clone());
        visitors.spawn(async move {
            loop {
                let next: Option<Target> = taken.lock().await.recv().await;
                let Some(target) = next else { return };
                let visited = visitor.visit(&target).await;
                tally.lock().count(&target, visited);
            }
        });
    }
    let mut pace = args.rate.map(|rate| interval(Duration::from_secs(1) / rate));
    for target in targets {
        if let Some(pace) = &mut pace {
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace.tick().await;
        }
        // They end when there is nothing more, and no earlier.
        let _ = give.send(target).await;
    }
    drop(give);
    while visitors.join_next().await.is_some() {}
}

fn print(args: &WarmArgs, tally: &Tally, total: usize, took: Duration, ended: Ended) {
    if !args.json {
        // Who has closed the other end does not want to read it.
        let _ = stderr().write_all(tally.examples_shown().as_bytes());
    }
    let text = match args.json {
        true => format!("{}\n", tally.value(total, took, ended)),
        false => tally.line(total, took, ended),
    };
    let _ = stdout().write_all(text.as_bytes());
}
