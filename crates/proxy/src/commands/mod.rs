//! The subcommands, one small file each.

pub mod admin_client;
pub mod check;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod life;
pub mod purge;
pub mod routes;
pub mod run;
pub mod runtime;
pub mod top;
pub mod warm;
pub mod why;
