//! The targets, one module each.

pub mod config;
pub mod date;
pub mod rules;
