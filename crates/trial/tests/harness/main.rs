//! What the trials with real servers stand on: does each part do what it says it does?

mod redis;
