//! What the operator said: text in, [`Config`] out, checked once.
//!
//! `raw` reads tables of the file and knows which keys were asked for, `text` reads single words,
//! `check` and `routes` say what they mean together, `problem` shows what is wrong. All problems are
//! found in one pass; there is no second look at a [`Config`].

pub mod defaults;
mod nearest;
mod problem;
mod settings;
pub mod text;

use std::path::Path;

pub use problem::{Colours, PROBLEMS_MAX, Position, Problem, Problems};
pub use settings::*;

use crate::cli::RunArgs;

/// Bytes of a configuration file.
pub const FILE_BYTES_MAX: u64 = 4 << 20;

/// The configuration that a file's text means. Pure: an `admin_token_file` is not opened.
pub fn parse(name: &str, text: &str) -> Result<Config, Problems> {
    unimplemented!("{name}{text}")
}

/// The configuration that flags mean, with the file that they name; a flag goes before the file.
pub fn from_run(args: &RunArgs) -> Result<Config, Problems> {
    unimplemented!("{args:?}")
}

/// The text of a configuration file, or why it cannot be read.
pub fn read(path: &Path) -> Result<String, String> {
    unimplemented!("{path:?}")
}
