//! What HTTP allows a shared cache to do: RFC 9111 and its relatives as pure rules.
//!
//! Told the time, asking no clock, doing no I/O, holding no lock, unable to fail or panic on any
//! input.

pub mod cache_control;
#[cfg(test)]
pub(crate) mod case;
pub mod date;
pub mod etag;
pub mod fields;
pub mod freshness;
pub mod invalidation;
pub mod key;
pub mod partial;
pub mod policy;
pub mod range;
pub mod request;
pub mod reuse;
pub mod status;
pub mod stored;
pub mod storing;
pub mod validation;
pub mod variants;

pub use date::Timestamp;
pub use fields::FieldBlock;
pub use policy::Policy;
pub use request::Asked;
pub use stored::Stored;
