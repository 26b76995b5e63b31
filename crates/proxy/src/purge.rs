//! Purges: what an operator's order means, what a stored response belongs to, and how an order is
//! carried out.
//!
//! The log and the rules are `forebay-cache`'s, and know no HTTP. Here hosts, URLs, paths and tags
//! become the groups that they know.

pub mod carry;
pub mod groups;
pub mod order;
pub mod public;
mod refresh;

pub use carry::{Carried, Uncarried, carry_out};
pub use order::{ORDER_MAX, Order, OrderError, OrderKind};
