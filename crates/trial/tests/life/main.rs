//! Trials of how a process goes on: another configuration, another process in its place, systemd,
//! signals, its log. Against the built program.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod logs;
mod places;
mod reload;
mod support;
mod systemd;
mod tokens;
mod upgrade;
