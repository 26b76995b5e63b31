//! The subcommands, one small file each.

pub mod check;
pub mod completions;
