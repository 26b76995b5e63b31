//! What HTTP allows a shared cache to do: RFC 9111 and its relatives as pure rules.
//!
//! Told the time, asking no clock, doing no I/O, holding no lock, unable to fail or panic on any
//! input.
//!
//! A cache asks five questions, each a module. 1, [`request`]: may this request look in the cache?
//! 2, [`reuse`]: may this stored response answer it, now? 3, [`storing`]: may this response be
//! kept? 4: how is a stored response validated, and what does a 304 change? 5, [`invalidation`]:
//! what does an unsafe request spoil? They are asked with [`Asked`], a request read once, and
//! [`Stored`], a kept head; [`variants`] finds the one that fits. What purges did to a response is
//! told by a [`Standing`]; [`tags`] are the names by which they do it.

pub mod cache_control;
#[cfg(test)]
pub(crate) mod case;
pub mod coding;
pub mod date;
pub mod etag;
pub mod fields;
mod form;
pub mod freshness;
pub mod invalidation;
pub mod key;
pub mod partial;
pub mod policy;
pub mod range;
pub mod request;
pub mod reuse;
pub mod standing;
pub mod status;
pub mod stored;
pub mod storing;
#[cfg(test)]
mod suite;
pub mod tags;
pub mod validation;
pub mod variants;
mod weighted;

pub use date::Timestamp;
pub use fields::FieldBlock;
pub use policy::Policy;
pub use request::Asked;
pub use standing::Standing;
pub use stored::Stored;
pub use tags::Tags;
