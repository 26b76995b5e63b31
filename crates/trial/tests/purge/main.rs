//! Trials of purges: several real nodes, a real Redis, faults between them, an origin whose content
//! changes, and a checker that knows which version of it may still be served by whom.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod checker;
mod doubt;
mod kinds;
mod public;
mod soak;
mod support;
