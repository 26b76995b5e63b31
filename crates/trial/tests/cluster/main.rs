//! Trials of the tiers below memory: several real nodes, a real Redis, disks, and an origin that
//! counts. Each test is named by the row of what Forebay replaces, where there is one.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod collapse;
mod damage;
mod outages;
mod restart;
mod shared;
mod support;
