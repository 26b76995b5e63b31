//! What can be typed behind `forebay top`.

use std::time::Duration;

use clap::Args;

use super::AdminArgs;
use crate::config::text;

/// The arguments of `forebay top`.
#[derive(Args, Clone, Debug)]
#[command(after_help = TOP_EXIT)]
pub struct TopArgs {
    /// Print one snapshot as text, and end; so also where standard output is no terminal
    #[arg(long)]
    pub once: bool,
    /// Print one snapshot as JSON, and end
    #[arg(long)]
    pub json: bool,
    /// How often the node is asked, 200ms to 1m
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = every)]
    pub every: Duration,
    /// The node.
    #[command(flatten)]
    pub admin: AdminArgs,
}

const TOP_EXIT: &str = "\
Examples:
  forebay top                                          the node on this machine
  forebay top --admin web2.internal:8081 --token-file /etc/forebay/token
  forebay top --once                                   one snapshot as text
  forebay top --json | jq .traffic.hit_ratio

Keys: 1 to 6 or Tab choose a view, s and r sort, p pauses, ? says all, q ends.
Colours are left out where NO_COLOR is set.

Exit status: 0 when it was shown, 1 when the node cannot be asked, 2 when this cannot be read.";

/// The least and the most that may pass between two questions.
const EVERY_LEAST: Duration = Duration::from_millis(200);
const EVERY_MOST: Duration = Duration::from_secs(60);

fn every(said: &str) -> Result<Duration, String> {
    let span = text::span(said).map_err(|why| why.to_string())?;
    match (EVERY_LEAST..=EVERY_MOST).contains(&span) {
        true => Ok(span),
        false => Err("it is not 200ms to 1m".to_owned()),
    }
}
