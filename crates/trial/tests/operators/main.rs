//! Trials of what operators do: the admin API and the subcommands that speak to it, against real nodes
//! that share a real Redis.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod calls;
mod routes;
mod support;
mod token;
mod top;
mod warm;
