//! Purges: what an operator's order means, and what a stored response belongs to.
//!
//! The log and the rules are `forebay-cache`'s, and know no HTTP. Here hosts, URLs, paths and tags
//! become the groups that they know.

pub mod groups;
pub mod order;

pub use order::{ORDER_MAX, Order, OrderError, OrderKind};
