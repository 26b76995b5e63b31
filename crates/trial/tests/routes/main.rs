//! Trials of routes that live in Redis: a real Redis, real nodes, and faults between them. Each test
//! is named by what happens, or by the row of what Forebay replaces, where there is one.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod bodies;
mod heard;
mod hostile;
mod model;
mod outages;
mod rows;
mod support;
mod tracked;
