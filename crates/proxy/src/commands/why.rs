//! `forebay why`: what each node would answer a request, and why.

use std::fmt::Write as _;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::admin::why::{AskWhy, WhyAll};
use crate::cli::WhyArgs;
use crate::commands::admin_client::AdminClient;
use crate::commands::runtime::runtime;
use crate::config::text::{in_bytes, in_time};
use crate::why::{Lying, Why};

/// Asks, and shows the answer.
pub fn run(args: &WhyArgs) -> ExitCode {
    match asked(args) {
        Ok(text) => {
            // Who has closed the other end does not want to read it.
            let _ = stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = stderr().write_all(format!("forebay why: {message}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn asked(args: &WhyArgs) -> Result<String, String> {
    let fields = args.header.iter().map(|line| field(line)).collect::<Result<Vec<_>, _>>()?;
    let ask = AskWhy { url: args.url.clone(), method: args.method.clone(), fields };
    let runtime = runtime(Some(1)).map_err(|cause| format!("cannot start the runtime: {cause}"))?;
    let answered = runtime.block_on(async {
        let client = AdminClient::of(&args.admin)?;
        client.ask(Method::POST, "/why", Some(&json!(ask))).await
    });
    // A name that is still being looked up does not hold up the end.
    runtime.shutdown_background();
    let value = answered.map_err(|failure| failure.to_string())?.value;
    if args.json {
        return Ok(format!("{value}\n"));
    }
    let all: WhyAll = serde_json::from_value(value)
        .map_err(|_| "the node's answer is not that of a why".to_owned())?;
    let mut text: String = all.nodes.iter().map(shown).collect();
    if all.nodes.len() < all.asked {
        let _ = writeln!(text, "{} of {} nodes have answered", all.nodes.len(), all.asked);
    }
    Ok(text)
}

fn field(line: &str) -> Result<(String, String), String> {
    let refused = || format!("cannot use `{line}` as a field: write NAME: VALUE");
    let (name, value) = line.split_once(':').ok_or_else(refused)?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn shown(why: &Why) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}: {}", why.node, why.because);
    let _ = writeln!(text, "  cache-status  {}", why.cache_status);
    let _ = writeln!(text, "  route         {}", why.route);
    let _ = writeln!(text, "  key           {}", why.key);
    let doubt = if why.in_doubt { ", in doubt" } else { "" };
    let _ = writeln!(text, "  purges        at {}{doubt}", why.epoch);
    for lying in &why.found {
        let _ = writeln!(text, "  {:12}  {}", lying.tier, described(lying));
    }
    text
}

fn described(lying: &Lying) -> String {
    let mut text = match (lying.variants, &lying.coding, lying.body_bytes) {
        (Some(count), _, _) => format!("{count} variants"),
        (None, Some(coding), Some(0)) => format!("{coding} form: it would not be shorter"),
        (None, Some(coding), Some(bytes)) => format!("{coding} form of {}", in_bytes(bytes)),
        (None, Some(coding), None) => format!("{coding} form"),
        (None, None, _) => lying.kind.clone(),
    };
    if let Some(status) = lying.status {
        let _ = write!(text, " {status}");
    }
    let spans = [
        ("age", lying.age),
        ("lifetime", lying.lifetime),
        ("stale while revalidate", lying.stale_while_revalidate),
        ("stale if error", lying.stale_if_error),
    ];
    for (name, seconds) in spans {
        if let Some(seconds) = seconds {
            let _ = write!(text, ", {name} {}", in_time(Duration::from_secs(seconds)));
        }
    }
    let _ = write!(text, ", epoch {}, purged: {}", lying.epoch, lying.purged);
    if !lying.fits {
        text.push_str(", does not fit");
    }
    if !lying.tags.is_empty() {
        let _ = write!(text, ", tags {}", lying.tags.join(" "));
    }
    text
}
