//! `forebay reload` and `forebay upgrade`: a node goes on under another configuration, or as another
//! process.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::cli::{AdminArgs, ReloadArgs, UpgradeArgs};
use crate::commands::admin_client::{AdminClient, ClientFailure};
use crate::commands::runtime::runtime;
use crate::config::text;
use crate::succession::{WITHIN, WITHIN_MAX};

/// How much longer than the node waits for its successor it is waited for the node.
const MARGIN: Duration = Duration::from_secs(30);

/// How long a reload may take: many routes, and their certificates.
const RELOAD_PATIENCE: Duration = Duration::from_secs(60);

/// Has a node read its file again.
pub fn reload(args: &ReloadArgs) -> ExitCode {
    let answer = ask(&args.admin, "/reload", &json!({}), RELOAD_PATIENCE);
    told("reload", answer, if args.json { json_text } else { reloaded })
}

/// What a reload brought. A node of another version may say nothing of places.
fn reloaded(answer: &Value) -> String {
    let routes = answer["routes"].as_u64().unwrap_or(0);
    let noun = if routes == 1 { "route" } else { "routes" };
    let mut text = format!("reloaded: {routes} {noun} in the file\n");
    for (key, words) in [("opened", "clients are accepted at"), ("left", "and no more at")] {
        let places = answer[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        text.extend(places.map(|place| format!("{words} {place}\n")));
    }
    text
}

/// Has another process take over from a node.
pub fn upgrade(args: &UpgradeArgs) -> ExitCode {
    let within = match args.within.as_deref().map(text::span) {
        None => WITHIN,
        Some(Ok(within)) if within <= WITHIN_MAX => within,
        Some(Ok(_)) => return refused("upgrade", "`--within` can be 1h at most"),
        Some(Err(why)) => return refused("upgrade", &format!("`--within` cannot be so: {why}")),
    };
    let mut wanted = json!({ "within": text::in_time(within) });
    if let Some(binary) = &args.binary {
        // What is meant is the file that is here, wherever the node was started.
        let place = std::path::absolute(binary).unwrap_or_else(|_| binary.clone());
        wanted["binary"] = json!(place);
    }
    let answer = ask(&args.admin, "/upgrade", &wanted, within + MARGIN);
    let shown =
        |answer: &Value| format!("process {} has taken over; the old one drains\n", answer["pid"]);
    told("upgrade", answer, if args.json { json_text } else { shown })
}

fn ask(
    admin: &AdminArgs,
    path: &str,
    wanted: &Value,
    patience: Duration,
) -> Result<Value, ClientFailure> {
    let unusable = |cause| ClientFailure::Unusable(format!("cannot start the runtime: {cause}"));
    let runtime = runtime(Some(1)).map_err(unusable)?;
    let answered = runtime.block_on(async {
        let client = AdminClient::of(admin)?;
        client.ask_within(Method::POST, path, Some(wanted), patience).await
    });
    // A name that is still being looked up does not hold up the end.
    runtime.shutdown_background();
    let answered = answered?;
    match answered.status.is_success() {
        true => Ok(answered.value),
        false => Err(ClientFailure::Refused {
            status: answered.status,
            words: answered.value["error"].as_str().unwrap_or("it knows no such call").to_owned(),
        }),
    }
}

fn json_text(answer: &Value) -> String {
    format!("{answer}\n")
}

fn told(
    command: &str,
    answer: Result<Value, ClientFailure>,
    shown: fn(&Value) -> String,
) -> ExitCode {
    match answer {
        Ok(answer) => {
            // Who has closed the other end does not want to read it.
            let _ = stdout().write_all(shown(&answer).as_bytes());
            ExitCode::SUCCESS
        }
        Err(failure) => refused(command, &failure.to_string()),
    }
}

fn refused(command: &str, why: &str) -> ExitCode {
    let _ = stderr().write_all(format!("forebay {command}: {why}\n").as_bytes());
    ExitCode::FAILURE
}
