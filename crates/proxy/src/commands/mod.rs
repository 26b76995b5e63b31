//! The subcommands, one small file each.

pub mod check;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod run;
pub mod runtime;
