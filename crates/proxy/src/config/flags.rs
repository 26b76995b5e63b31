//! The flags of `forebay run`: what an operator may say without a file, or over it.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{AccessLog, Admin, DiskRoom, Listen, MemberSettings, Secret, text};

/// The flags of `forebay run`. A flag goes before the file's word.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// An origin server: http://, https:// or h2c:// and host, unix:/path, or host:port; said
    /// several times, they share the load. Beside a file's routes it is the last resort
    #[arg(long, value_name = "URL", value_parser = text::member)]
    pub to: Vec<MemberSettings>,
    /// Where clients are accepted: `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`; may be said
    /// several times [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", value_parser = text::listen)]
    pub listen: Vec<Listen>,
    /// Where /metrics, /health and /ready are answered, or `off` [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS|off", value_parser = text::admin)]
    pub admin: Option<Admin>,
    /// How much memory stored responses may take [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = text::size)]
    pub memory: Option<u64>,
    /// The tiers below memory.
    #[command(flatten)]
    pub tiers: TierArgs,
    /// The Redis or Valkey in which each host has its route, as `SET shop.example.com
    /// 10.0.0.5:3000` writes it; a URL as for `--redis` [default: none]
    #[arg(long, value_name = "URL", value_parser = hidden)]
    pub routes: Option<Secret>,
    /// How long a stale response may be served while it is refreshed, or in place of an error,
    /// where the response itself does not say; a route's own word goes before it [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = text::span)]
    pub stale: Option<Duration>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read the configuration file again whenever it has changed; without it, when told (SIGHUP,
    /// `forebay reload`)
    #[arg(long)]
    pub watch: bool,
    /// The access log, on standard output [default: off]
    #[arg(long, value_name = "off|text|json", value_parser = text::access_log)]
    pub log: Option<AccessLog>,
}

/// The tiers below memory, as flags name them.
#[derive(Args, Clone, Debug, Default)]
pub struct TierArgs {
    /// A directory on disk that is this gateway's alone, and how much it may hold, such as
    /// `/var/cache/forebay:20GiB`: what is kept there outlives a restart [default: none]
    #[arg(long, value_name = "DIR:SIZE", value_parser = text::disk)]
    pub disk: Option<DiskRoom>,
    /// The Redis or Valkey that gateways share: redis://host:port, rediss:// for TLS, unix:/path,
    /// redis+sentinel://host:port,host:port/service, or redis+cluster://host:port,host:port; may be
    /// said several times for several sentinels or nodes. A password is better in a file, see
    /// `password_file` [default: none]
    #[arg(long, value_name = "URL", value_parser = hidden)]
    pub redis: Vec<Secret>,
}

/// A text that may hold a password: read later, for what refuses it here would repeat it.
fn hidden(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

const RUN_EXAMPLES: &str = "\
Examples:
  forebay run --to http://localhost:3000
  forebay run --to http://10.0.0.1:3000 --to http://10.0.0.2:3000 --memory 1GiB --stale 60s
  forebay run --to localhost:3000 --disk /var/cache/forebay:20GiB --redis redis://localhost:6379
  forebay run --routes redis://localhost:6379
  forebay run --config forebay.toml --log text
  forebay run --to localhost:3000 --listen [::1]:8080 --listen unix:/run/forebay.sock --admin off";
