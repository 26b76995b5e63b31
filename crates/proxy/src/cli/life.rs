//! What can be typed behind `forebay reload` and `forebay upgrade`.

use std::path::PathBuf;

use clap::Args;

use super::AdminArgs;

/// The arguments of `forebay reload`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = RELOAD_EXIT)]
pub struct ReloadArgs {
    /// One JSON value, for scripts
    #[arg(long)]
    pub json: bool,
    /// The node.
    #[command(flatten)]
    pub admin: AdminArgs,
}

const RELOAD_EXIT: &str = "\
The node reads the file that it was started with, checks it whole, and uses it for all that begins from
then on; nothing is cut, and nothing that is kept is lost. What is wrong changes nothing. SIGHUP does the
same.

Exit status: 0 when it counts, 1 when it was refused, 2 when it cannot be read.";

/// The arguments of `forebay upgrade`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = UPGRADE_EXIT)]
pub struct UpgradeArgs {
    /// The program to start [default: the one that was started for the node]
    #[arg(long, value_name = "PATH")]
    pub binary: Option<PathBuf>,
    /// How long it may take to get ready [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub within: Option<String>,
    /// One JSON value, for scripts
    #[arg(long)]
    pub json: bool,
    /// The node.
    #[command(flatten)]
    pub admin: AdminArgs,
}

const UPGRADE_EXIT: &str = "\
Examples:
  forebay upgrade                              the program that lies at the same place now
  forebay upgrade --binary /opt/forebay-0.2/forebay

The node starts the program with its own arguments. The new process takes over the listening sockets and
the disk; when it is ready, the old one finishes what it has begun, and ends. No request is lost. If the
new one does not get ready, the old one goes on. SIGUSR2 does the same.

Exit status: 0 when the new process serves, 1 when the old one goes on, 2 when it cannot be read.";
