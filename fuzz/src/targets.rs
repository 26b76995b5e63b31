//! The targets, one module each.

pub mod timestamp;
