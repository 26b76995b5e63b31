//! The disk tier: segments that only grow for small entries, a file for each large body.

mod error;
mod options;
mod stats;

pub use error::DiskError;
pub use options::{DiskOptions, SIZE_BYTES_MIN};
pub use stats::DiskSnapshot;
