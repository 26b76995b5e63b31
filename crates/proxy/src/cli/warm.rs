//! What can be typed behind `forebay warm`.

use std::path::PathBuf;

use clap::Args;

/// The arguments of `forebay warm`.
#[derive(Args, Clone, Debug)]
#[command(after_help = WARM_EXIT)]
pub struct WarmArgs {
    /// A sitemap, or an index of sitemaps, asked of the gateway too; it may be compressed
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    pub sitemap: Vec<String>,
    /// A file with one URL a line; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// The gateway's listener. With `https` its certificate must be good for each URL's own host
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub to: String,
    /// Certificate authorities to trust in place of the system's, as PEM
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Requests at once
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Requests a second at most [default: as many as are answered]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: Option<u32>,
    /// URLs at most
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max: u32,
    /// A field of each request, such as `Accept-Encoding: gzip`
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// One JSON value at the end, for scripts
    #[arg(long)]
    pub json: bool,
}

const WARM_EXIT: &str = "\
Examples:
  forebay warm --sitemap https://shop.example.com/sitemap.xml
  forebay warm --list urls.txt --rate 50 --header 'Accept-Encoding: gzip'
  sort -u urls.txt | forebay warm --list - --to http://10.0.0.7:8080 --json

Each URL is asked of the gateway under its own host, as a client would, so that what it has already is
not fetched, and what clients want meanwhile is fetched once.

Exit status: 0 when all were answered without an error, 1 when it could not begin, 2 when this cannot be
read, 4 when some failed, 130 when it was interrupted.";
