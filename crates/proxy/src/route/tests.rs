//! The table against a naive model of itself.
