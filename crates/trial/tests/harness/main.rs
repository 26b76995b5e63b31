//! What the trials with real servers stand on: does each part do what it says it does?

mod fault;
mod load;
mod nodes;
mod origin;
mod redis;

use std::time::Duration;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough that something would have come.
const MOMENT: Duration = Duration::from_millis(200);
