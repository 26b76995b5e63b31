//! Trials of the tiers below memory: several real nodes, a real Redis, disks, and an origin that
//! counts. Each test is named by the row of what Forebay replaces, where there is one.

mod collapse;
mod damage;
mod outages;
mod restart;
mod shared;
mod support;
