//! What the process says to whoever started it.

use std::io::{Write, stderr};

/// Writes to standard error; who has closed the other end does not want to read it.
pub(crate) fn say(text: &str) {
    let mut to = stderr();
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
