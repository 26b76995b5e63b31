//! What can be typed behind `forebay why`.

use clap::Args;

use super::AdminArgs;

/// The arguments of `forebay why`.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub struct WhyArgs {
    /// The URL
    #[arg(value_name = "URL")]
    pub url: String,
    /// A request field, as curl takes it; may be said several times
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// The method
    #[arg(long, short = 'X', value_name = "METHOD", default_value = "GET")]
    pub method: String,
    /// One JSON value, for scripts
    #[arg(long)]
    pub json: bool,
    /// The node.
    #[command(flatten)]
    pub admin: AdminArgs,
}

const EXAMPLES: &str = "\
Examples:
  forebay why https://shop.example.com/a
  forebay why https://shop.example.com/a -H 'Accept-Encoding: br'

Nothing is fetched. Exit status: 0 when it is answered, 1 when it is not, 2 when it cannot be read.";
