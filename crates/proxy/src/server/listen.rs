//! Sockets to accept on.

use std::fmt;

/// A listener that could not be bound.
#[derive(Debug)]
pub struct BindError {
    address: String,
    cause: std::io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot listen on {}: {}", self.address, self.cause)
    }
}

impl std::error::Error for BindError {}
