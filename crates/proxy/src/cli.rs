//! The command line: what can be typed, and the help that says so.
//!
//! Values are read here by the same rules as in the configuration file (`config::text`); what they
//! mean together is judged in `config`.

mod life;
mod purge;
mod routes;
mod top;
mod warm;
mod why;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::life::{ReloadArgs, UpgradeArgs};
pub use self::purge::PurgeArgs;
pub use self::routes::{AdminArgs, RoutesAct, RoutesArgs};
pub use self::top::TopArgs;
pub use self::warm::WarmArgs;
pub use self::why::WhyArgs;
use crate::config::defaults::LISTEN;
pub use crate::config::flags::{RunArgs, TierArgs};

/// An HTTP caching gateway: collapses, answers stale rather than late, says why.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  forebay demo                               see it at work, with an origin of its own
  forebay run --to http://localhost:3000     cache one origin on 127.0.0.1:8080
  forebay run --config forebay.toml          as the file says
  forebay check --config forebay.toml        say all that is wrong with the file
  forebay doctor --config forebay.toml       say what is wrong with the machine, its Redis, its disk
  forebay reload                             use the file as it is now
  forebay upgrade                            use the program as it is now, without a request lost
  forebay purge --tag sale                   forget it, on every node
  forebay why http://shop.example.com/a      what would be answered, and why
  forebay top                                what it does, live
  forebay warm --sitemap https://shop.example.com/sitemap.xml    fetch it before clients ask
  forebay routes set shop.example.com 10.0.0.5:3000    send a host's traffic there, on every node";

/// What the program can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put the cache before one or more origins
    Run(RunArgs),
    /// Say all that is wrong with a configuration file, or what it means
    Check(CheckArgs),
    /// Look at the machine, at Redis and at the disk, and say what is wrong with them
    Doctor(DoctorArgs),
    /// Have a node read its configuration file again
    Reload(ReloadArgs),
    /// Have another process take over from a node, without a request lost
    Upgrade(UpgradeArgs),
    /// Forget URLs, prefixes, hosts, tags or everything, on every node
    Purge(PurgeArgs),
    /// Say what a node would answer a request, and why, without asking the origin
    Why(WhyArgs),
    /// Show, set, delete and watch the routes in Redis
    Routes(RoutesArgs),
    /// Show a node's numbers, live, in the terminal
    Top(TopArgs),
    /// Ask the gateway for the URLs of a sitemap or a list, so that it has them
    Warm(WarmArgs),
    /// Start a small slow origin and a gateway before it, and say what to try
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
}

/// The flags of `forebay check`.
#[derive(Args, Clone, Debug)]
#[command(after_help = CHECK_EXIT)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// How problems are shown [default: human on a terminal, plain elsewhere]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<CheckFormat>,
    /// The tiers below memory.
    #[command(flatten)]
    pub tiers: TierArgs,
    /// Ask no Redis
    #[arg(long)]
    pub offline: bool,
}

const CHECK_EXIT: &str = "\
Exit status: 0 when the file is fine, 1 when it has problems, 2 when it cannot be read. What is wrong
with a Redis that it names is a warning on standard error, and changes nothing.";

/// How `forebay check` shows what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// With the lines of the file
    Human,
    /// One line a problem: file:line:column: message
    Plain,
    /// One JSON array
    Json,
}

/// The flags of `forebay doctor`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = DOCTOR_EXIT)]
pub struct DoctorArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The tiers below memory.
    #[command(flatten)]
    pub tiers: TierArgs,
}

const DOCTOR_EXIT: &str = "\
Examples:
  forebay doctor --redis redis://localhost:6379
  forebay doctor --disk /var/cache/forebay:20GiB --redis unix:/run/redis.sock
  forebay doctor --config forebay.toml

Exit status: 0 when nothing is wrong, 1 when something is, 2 when there is nothing to examine.";

/// The flags of `forebay demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Where the demo page is served
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    pub listen: SocketAddr,
}

/// The arguments of `forebay completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use crate::config::text;
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_flag_is_refused_in_the_words_of_the_file() {
        let check = |flags: &[&str], said: &str| {
            let words = ["forebay", "run"].iter().chain(flags);
            let message = Cli::try_parse_from(words).unwrap_err().to_string();
            assert!(message.starts_with(&format!("error: {said}\n")), "{message}");
        };
        check(
            &["--memory", "256"],
            "invalid value '256' for '--memory <SIZE>': the unit is missing; a size is a whole \
             number with a unit, such as 64KiB, 256MiB or 1GB",
        );
        check(
            &["--log", "jsn"],
            "invalid value 'jsn' for '--log <off|text|json>': no such word; did you mean `json`? \
             allowed: `off`, `text`, `json`",
        );
        check(
            &["--disk", "/d"],
            "invalid value '/d' for '--disk <DIR:SIZE>': the size is missing; write a directory \
             and a size, such as /var/cache/forebay:20GiB",
        );
        check(&["--lisen", "a"], "unexpected argument '--lisen' found");
    }

    #[test]
    fn the_help_says_the_true_defaults() {
        use crate::config::defaults::{ADMIN, MEMORY_BYTES};
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("run").unwrap().render_long_help().to_string();
        for default in [LISTEN, ADMIN, &text::in_bytes(MEMORY_BYTES)] {
            assert!(help.contains(&format!("[default: {default}]")), "{default}\n{help}");
        }
    }

    #[test]
    fn completions_name_the_subcommands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "forebay", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in [
                "run",
                "check",
                "doctor",
                "routes",
                "demo",
                "completions",
                "redis",
                "disk",
                "watch",
                "token-file",
            ] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
