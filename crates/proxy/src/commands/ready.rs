//! `forebay ready`: whether a node accepts clients, for health checks of containers and for scripts.

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cli::{AdminArgs, ReadyArgs};
use crate::commands::admin_client::AdminClient;
use crate::commands::runtime::runtime;

/// How long after an answer the next one is asked for.
const PAUSE: Duration = Duration::from_millis(100);

/// 0 when it does, 1 when it does not.
pub fn run(args: &ReadyArgs) -> ExitCode {
    match asked(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Who has closed the other end does not want to read it.
            let _ = stderr().write_all(format!("forebay ready: {message}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn asked(args: &ReadyArgs) -> Result<(), String> {
    let runtime = runtime(Some(1)).map_err(|cause| format!("cannot start the runtime: {cause}"))?;
    let node = AdminArgs { admin: args.admin.clone(), token_file: None };
    let client = AdminClient::of(&node).map_err(|failure| failure.to_string())?;
    let answered = runtime.block_on(async {
        let end = Instant::now() + args.wait.unwrap_or_default();
        loop {
            let answered = once(&client).await;
            if answered.is_ok() || Instant::now() >= end {
                return answered;
            }
            sleep(PAUSE).await;
        }
    });
    // A name that is still being looked up does not hold up the end.
    runtime.shutdown_background();
    answered
}

async fn once(client: &AdminClient) -> Result<(), String> {
    let status = client.status("/ready").await.map_err(|failure| failure.to_string())?;
    if status.is_success() { Ok(()) } else { Err(format!("it says {status}: it drains")) }
}
