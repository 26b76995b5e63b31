//! What HTTP allows a shared cache to do: RFC 9111 and its relatives as pure rules.
//!
//! Told the time, asking no clock, doing no I/O, holding no lock, unable to fail or panic on any
//! input.

pub mod date;
pub mod etag;
pub mod key;
pub mod partial;
pub mod policy;
pub mod range;
pub mod status;
pub mod validation;

pub use date::Timestamp;
pub use policy::Policy;
