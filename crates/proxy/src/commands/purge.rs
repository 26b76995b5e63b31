//! `forebay purge`: an order for all nodes, and how far each is.

use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use crate::admin::purges::{Purged, PurgedNode};
use crate::cli::PurgeArgs;
use crate::commands::admin_client::{AdminClient, ClientFailure};
use crate::commands::runtime::runtime;
use crate::config::text::in_time;
use crate::purge::{ORDER_MAX, Order, OrderKind};
use crate::terminal::say;

/// A node has not applied it yet.
const BEHIND: u8 = 4;

/// Purges, and says how far each node is.
pub fn run(args: &PurgeArgs) -> ExitCode {
    match purge(args) {
        Ok(code) => code,
        Err(message) => {
            say(&format!("forebay purge: {message}\n"));
            ExitCode::FAILURE
        }
    }
}

fn purge(args: &PurgeArgs) -> Result<ExitCode, String> {
    let order = order(args)?;
    if order.all && !args.yes && !is_confirmed()? {
        return Err("nothing is purged".to_owned());
    }
    let runtime = runtime(Some(1)).map_err(|cause| format!("cannot start the runtime: {cause}"))?;
    let answer = runtime.block_on(ask(args, &order)).map_err(|failure| failure.to_string())?;
    // A name that is still being looked up does not hold up the end.
    runtime.shutdown_background();
    let purged: Purged = serde_json::from_value(answer.clone())
        .map_err(|_| "the node's answer is not that of a purge".to_owned())?;
    let text = if args.json { format!("{answer}\n") } else { shown(&purged) };
    // Who has closed the other end does not want to read it.
    let _ = stdout().write_all(text.as_bytes());
    Ok(if purged.complete { ExitCode::SUCCESS } else { ExitCode::from(BEHIND) })
}

async fn ask(args: &PurgeArgs, order: &Order) -> Result<serde_json::Value, ClientFailure> {
    let client = AdminClient::of(&args.admin)?;
    let answered = client.ask(Method::POST, "/purge", Some(&json!(order))).await?;
    match answered.status {
        StatusCode::NOT_FOUND => Err(ClientFailure::Refused {
            status: answered.status,
            words: "this node knows no purges".to_owned(),
        }),
        _ => Ok(answered.value),
    }
}

fn order(args: &PurgeArgs) -> Result<Order, String> {
    let mut urls = Vec::new();
    for url in &args.urls {
        match url.as_str() {
            "-" => urls.extend(listed()?),
            url => urls.push(url.to_owned()),
        }
    }
    let kind = match (args.soft, args.refresh) {
        (_, true) => OrderKind::Refresh,
        (true, false) => OrderKind::Soft,
        (false, false) => OrderKind::Hard,
    };
    Ok(Order {
        urls,
        prefixes: args.prefix.clone(),
        hosts: args.host.clone(),
        tags: args.tag.clone(),
        all: args.all,
        kind,
        wait: args.wait.clone(),
    })
}

/// The lines of standard input that are not empty.
fn listed() -> Result<Vec<String>, String> {
    let lines = stdin().lock().lines().take(10 * ORDER_MAX);
    let lines = lines.collect::<Result<Vec<_>, _>>();
    let lines = lines.map_err(|cause| format!("cannot read standard input: {cause}"))?;
    let lines: Vec<String> = lines
        .into_iter()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    match lines.len() {
        0..=ORDER_MAX => Ok(lines),
        _ => Err(format!("cannot purge more than {ORDER_MAX} URLs at once")),
    }
}

fn is_confirmed() -> Result<bool, String> {
    if !stdin().is_terminal() {
        return Err("cannot ask whether everything is meant: say --yes".to_owned());
    }
    say("Purge everything, on every node? [y/N] ");
    let mut said = String::new();
    stdin().read_line(&mut said).map_err(|cause| format!("cannot read the answer: {cause}"))?;
    Ok(matches!(said.trim(), "y" | "Y" | "yes"))
}

fn shown(purged: &Purged) -> String {
    let mut text = format!("purge {} is in force", purged.epoch);
    if purged.purges > 1 {
        text =
            format!("purges {} to {} are in force", purged.epoch + 1 - purged.purges, purged.epoch);
    }
    if purged.refreshing > 0 {
        let _ = write!(text, ", {} entries are being fetched again", purged.refreshing);
    }
    text.push('\n');
    let width = purged.nodes.iter().map(|node| node.node.len()).max().unwrap_or(0);
    for node in &purged.nodes {
        let _ = writeln!(text, "  {:width$}  {}", node.node, standing(node, purged));
    }
    text
}

fn standing(node: &PurgedNode, purged: &Purged) -> String {
    match (node.state.as_str(), node.at, node.unheard_millis) {
        ("behind", Some(at), _) => format!("behind: it is at {at}"),
        ("unheard", _, Some(millis)) => format!(
            "not heard for {}, and in doubt: {}",
            in_time(Duration::from_millis(millis)),
            purged.in_doubt
        ),
        (state, _, _) => state.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_said_with_what_holds_for_it() {
        let node = |node: &str, state: &str, at, unheard_millis| PurgedNode {
            node: node.to_owned(),
            state: state.to_owned(),
            at,
            unheard_millis,
        };
        let purged = Purged {
            lineage: String::new(),
            epoch: 17,
            purges: 1,
            refreshing: 2,
            complete: false,
            in_doubt: "it waits".to_owned(),
            nodes: vec![
                node("long-name", "applied", None, None),
                node("b", "behind", Some(16), None),
                node("c", "unheard", None, Some(3_200)),
            ],
        };
        assert_eq!(
            shown(&purged),
            "purge 17 is in force, 2 entries are being fetched again\n\
             \x20 long-name  applied\n\
             \x20 b          behind: it is at 16\n\
             \x20 c          not heard for 3s200ms, and in doubt: it waits\n"
        );
    }
}
