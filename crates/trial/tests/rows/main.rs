//! Trials of the collapse, staleness, robustness and upstream rows against the built program over sockets.
//!
//! Each starts the program on ports of its own before an origin of its own, and ends both. What
//! they hold is order and number; where time is looked at, the bounds are wide.

mod bodies;
mod collapse;
mod compression;
mod connections;
mod freshness;
mod health;
mod methods;
mod operating;
mod robustness;
mod sharing;
mod support;
mod traces;
mod upstreams;
mod variants;
