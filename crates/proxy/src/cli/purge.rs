//! What can be typed behind `forebay purge`.

use clap::Args;

use super::AdminArgs;

/// The arguments of `forebay purge`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = PURGE_EXIT)]
pub struct PurgeArgs {
    /// URLs, each with all its variants; `-` reads one a line from standard input
    #[arg(value_name = "URL")]
    pub urls: Vec<String>,
    /// Everything whose path begins as this URL's
    #[arg(long, value_name = "URL")]
    pub prefix: Vec<String>,
    /// A host, on all its ports
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// What has this tag
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Everything; asks first
    #[arg(long)]
    pub all: bool,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// Stale from now on, instead of gone: the stale windows hold
    #[arg(long, conflicts_with = "refresh")]
    pub soft: bool,
    /// Stale, and the most used of it is fetched again at once
    #[arg(long)]
    pub refresh: bool,
    /// How long to wait for the nodes [default: until each has applied it or is in doubt]
    #[arg(long, value_name = "TIME")]
    pub wait: Option<String>,
    /// One JSON value, for scripts
    #[arg(long)]
    pub json: bool,
    /// The node.
    #[command(flatten)]
    pub admin: AdminArgs,
}

const PURGE_EXIT: &str = "\
Examples:
  forebay purge https://shop.example.com/a         one URL, all variants
  forebay purge --prefix https://shop.example.com/shoes/
  forebay purge --tag sale --tag shoes --soft      stale, and served while it is refreshed
  forebay purge --host shop.example.com --refresh
  forebay purge --all --yes
  forebay purge - < urls.txt                       at most 1000 at once

Exit status: 0 when every node has applied it or is in doubt, 1 when it is not in force, 2 when it
cannot be read, 4 when it is in force and a node is behind.";
