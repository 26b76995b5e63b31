//! `forebay routes`: the routes in Redis as a node uses them: shown, checked and written, deleted,
//! watched.

mod show;

use std::io::{Read, Write, stderr, stdin, stdout};
use std::process::ExitCode;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli::{RoutesAct, RoutesArgs};
use crate::commands::admin_client::{AdminClient, Answered, ClientFailure, Enough};
use crate::commands::runtime::runtime;
use crate::route::value::VALUE_BYTES_MAX;

/// Threads for a command, which waits most of its time.
const WORKERS: usize = 1;

/// Routes that are listed where nothing is said.
const LISTED: usize = 1000;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is done.
    Done,
    /// It is not.
    Failed,
    /// There is no such route.
    Absent,
    /// It is written, and not every node has said that it uses it.
    NotEverywhere,
}

impl End {
    fn code(self) -> ExitCode {
        match self {
            End::Done => ExitCode::SUCCESS,
            End::Failed => ExitCode::from(1),
            End::Absent => ExitCode::from(3),
            End::NotEverywhere => ExitCode::from(4),
        }
    }
}

/// Does it, and says how it ended.
pub fn run(args: &RoutesArgs) -> ExitCode {
    let done = match runtime(Some(WORKERS)) {
        Ok(runtime) => {
            let done = runtime.block_on(act(args)).map_err(|failure| failure.to_string());
            // A name that is still being looked up does not hold up the end.
            runtime.shutdown_background();
            done
        }
        Err(cause) => Err(format!("cannot start the runtime: {cause}")),
    };
    let end = done.unwrap_or_else(|message| {
        say(&mut stderr(), &format!("forebay routes: {message}\n"));
        End::Failed
    });
    end.code()
}

async fn act(args: &RoutesArgs) -> Result<End, ClientFailure> {
    let client = AdminClient::of(&args.admin)?;
    match args.act.as_ref().unwrap_or(&RoutesAct::List { limit: LISTED }) {
        RoutesAct::List { limit } => list(&client, args, *limit).await,
        RoutesAct::Get { host } => get(&client, args, host).await,
        RoutesAct::Set { host, value, ttl } => set(&client, args, host, value, *ttl).await,
        RoutesAct::Delete { host } => delete(&client, args, host).await,
        RoutesAct::Watch => watch(&client, args).await,
    }
}

async fn list(client: &AdminClient, args: &RoutesArgs, limit: usize) -> Result<End, ClientFailure> {
    let answered = client.ask(Method::GET, &format!("/routes?limit={limit}"), None).await?;
    found(&answered)?;
    print(args, &answered.value, show::list);
    Ok(End::Done)
}

async fn get(client: &AdminClient, args: &RoutesArgs, host: &str) -> Result<End, ClientFailure> {
    let answered = client.ask(Method::GET, &path_of(host), None).await?;
    if answered.value["state"].is_null() {
        found(&answered)?;
    }
    print(args, &answered.value, show::one);
    Ok(if answered.status == StatusCode::NOT_FOUND { End::Absent } else { End::Done })
}

async fn set(
    client: &AdminClient,
    args: &RoutesArgs,
    host: &str,
    value: &str,
    ttl: Option<Duration>,
) -> Result<End, ClientFailure> {
    let value = match value {
        "-" => from_stdin()?,
        value => value.to_owned(),
    };
    let mut body = json!({ "value": value });
    if let Some(ttl) = ttl {
        body["ttl_ms"] = json!(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    }
    let answered = client.ask(Method::PUT, &path_of(host), Some(&body)).await?;
    found(&answered)?;
    print(args, &answered.value, show::written);
    Ok(everywhere(&answered.value))
}

async fn delete(client: &AdminClient, args: &RoutesArgs, host: &str) -> Result<End, ClientFailure> {
    let answered = client.ask(Method::DELETE, &path_of(host), None).await?;
    if answered.value["nodes"].is_null() {
        found(&answered)?;
    }
    print(args, &answered.value, show::deleted);
    match answered.status {
        StatusCode::NOT_FOUND => Ok(End::Absent),
        _ => Ok(everywhere(&answered.value)),
    }
}

async fn watch(client: &AdminClient, args: &RoutesArgs) -> Result<End, ClientFailure> {
    let each = |value: &Value| {
        let line = if args.json { format!("{value}\n") } else { show::change(value) };
        let mut to = stdout();
        match to.write_all(line.as_bytes()).and_then(|()| to.flush()) {
            Ok(()) => Enough::No,
            // Who has closed the other end has seen enough.
            Err(_) => Enough::Yes,
        }
    };
    client.follow("/routes/watch", each).await?;
    Ok(End::Done)
}

/// A 404 without a route in it: the node reads no routes.
fn found(answered: &Answered) -> Result<(), ClientFailure> {
    if answered.status != StatusCode::NOT_FOUND {
        return Ok(());
    }
    let words = answered.value["error"].as_str().unwrap_or("nothing is there").to_owned();
    Err(ClientFailure::Refused { status: answered.status, words })
}

fn everywhere(value: &Value) -> End {
    match value["everywhere"].as_bool() {
        Some(true) => End::Done,
        Some(false) | None => End::NotEverywhere,
    }
}

/// The path of a host: whatever is no letter of a host's name is encoded (RFC 3986 section 2.1).
fn path_of(host: &str) -> String {
    let mut path = "/routes/".to_owned();
    for byte in host.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                path.push(char::from(byte));
            }
            byte => path += &format!("%{byte:02X}"),
        }
    }
    path
}

fn from_stdin() -> Result<String, ClientFailure> {
    let unusable = |why: String| ClientFailure::Unusable(format!("cannot read the value: {why}"));
    let mut text = String::new();
    let read = stdin().take(VALUE_BYTES_MAX as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| unusable(error.to_string()))?;
    if text.len() > VALUE_BYTES_MAX {
        return Err(unusable(format!("it has more than {VALUE_BYTES_MAX} bytes")));
    }
    Ok(text.trim().to_owned())
}

fn print(args: &RoutesArgs, value: &Value, shown: fn(&Value) -> String) {
    let text = if args.json { format!("{value}\n") } else { shown(value) };
    say(&mut stdout(), &text);
}

/// Writes; who has closed the other end does not want to read it.
fn say(to: &mut impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_segment_of_a_path() {
        let check = |host: &str, path: &str| assert_eq!(path_of(host), path);
        check("shop.example.com", "/routes/shop.example.com");
        check("*.example.com", "/routes/%2A.example.com");
        check("*", "/routes/%2A");
        check("[::1]", "/routes/%5B%3A%3A1%5D");
        check("a/../b?c#d e\r\n", "/routes/a%2F..%2Fb%3Fc%23d%20e%0D%0A");
    }

    #[test]
    fn what_not_every_node_uses_ends_otherwise() {
        assert_eq!(everywhere(&json!({ "everywhere": true })), End::Done);
        assert_eq!(everywhere(&json!({ "everywhere": false })), End::NotEverywhere);
        assert_eq!(everywhere(&json!({})), End::NotEverywhere);
    }
}
