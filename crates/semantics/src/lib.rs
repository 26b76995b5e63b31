//! What HTTP allows a shared cache to do: RFC 9111 and its relatives as pure rules.
//!
//! Told the time, asking no clock, doing no I/O, holding no lock, unable to fail or panic on any
//! input.

pub mod date;
pub mod key;
pub mod policy;
pub mod status;

pub use date::Timestamp;
pub use policy::Policy;
