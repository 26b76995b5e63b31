//! Where a request goes, as far as is known without a question to Redis.

use std::sync::Arc;

use super::lane::Lane;

/// Where a request goes.
pub enum Way {
    /// Here.
    Lane(Arc<Lane>),
    /// There is no route.
    None,
    /// There is a value for the host, and it never was a good one.
    Wrong,
    /// Redis has to be asked first.
    Unknown,
}
