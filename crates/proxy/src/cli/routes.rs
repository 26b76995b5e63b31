//! What can be typed behind `forebay routes`, and how a node is named.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::text;

/// How a node's admin listener is reached.
#[derive(Args, Clone, Debug, Default)]
pub struct AdminArgs {
    /// The node's admin listener; also FOREBAY_ADMIN [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub admin: Option<String>,
    /// A file with the admin token; also FOREBAY_TOKEN with the token itself [default: what
    /// `forebay run` left for its own user]
    #[arg(long, value_name = "FILE", global = true)]
    pub token_file: Option<PathBuf>,
}

/// The arguments of `forebay routes`.
#[derive(Args, Clone, Debug)]
#[command(after_help = ROUTES_EXIT)]
pub struct RoutesArgs {
    /// What to do with them [default: list]
    #[command(subcommand)]
    pub act: Option<RoutesAct>,
    /// The node.
    #[command(flatten)]
    pub admin: AdminArgs,
    /// One JSON value, for scripts
    #[arg(long, global = true)]
    pub json: bool,
}

const ROUTES_EXIT: &str = "\
Examples:
  forebay routes                                       what this node knows of Redis
  forebay routes set shop.example.com 10.0.0.5:3000    checked, written, and who uses it
  forebay routes set shop.example.com - < shop.json    a value from standard input
  forebay routes get shop.example.com
  forebay routes delete shop.example.com
  forebay routes watch                                 each change as this node takes it up

Exit status: 0 when it is done, 1 when it is not, 2 when it cannot be read, 3 when there is no such
route, 4 when it is written and not every node has said that it uses it.";

/// What is done with the routes in Redis.
#[derive(Clone, Debug, Subcommand)]
pub enum RoutesAct {
    /// Show what a node knows of them
    List {
        /// At most so many
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        limit: usize,
    },
    /// Read one again, and show it
    Get {
        /// The host: example.com, *.example.com or *
        host: String,
    },
    /// Check a value, write it, and say which nodes use it
    Set {
        /// The host: example.com, *.example.com or *
        host: String,
        /// Where it leads: 10.0.0.5:3000, a URL, or JSON; `-` reads standard input
        value: String,
        /// How long Redis keeps it, such as 1h [default: for ever]
        #[arg(long, value_name = "TIME", value_parser = text::span)]
        ttl: Option<Duration>,
    },
    /// Delete one, and say which nodes know it
    Delete {
        /// The host: example.com, *.example.com or *
        host: String,
    },
    /// Show each change as a node takes it up, until it is interrupted
    Watch,
}
