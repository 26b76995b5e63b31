//! Trials: what a stranger may read and run to believe that Forebay does what it says.
//!
//! An exchange script ([`script`]) is a story of clients, an origin and passing time. [`engine`]
//! tells it on a [`stage`]: the gateway inside this process with a clock that stands still
//! ([`simulated`]), or the built program over real sockets ([`real`]). Both speak through [`wire`], byte by byte, so that
//! neither shares a parser with what is on trial.
//!
//! Trials that are code stand on real servers, each a process or a port of its own that ends with
//! the trial: [`nodes`] of the program, servers of [`redis`], an origin that is slow, fails and
//! recovers ([`counting`]), and between any two of them a proxy that disturbs ([`fault`]). Clients
//! ask all at once ([`load`]) or go on asking ([`pressure`]); what nodes count is read by
//! [`metrics`]. [`process`], [`folder`] and [`patience`] serve all of these.

pub mod client;
pub mod counting;
mod door;
pub mod engine;
pub mod expect;
pub mod failure;
pub mod fault;
pub mod folder;
pub mod load;
pub mod metrics;
pub mod nodes;
pub mod origin;
pub mod patience;
pub mod pressure;
pub mod process;
pub mod real;
pub mod redis;
pub mod script;
pub mod simulated;
pub mod stage;
pub mod suite;
pub mod wire;

pub use failure::Failure;
