//! What the operator said: text in, [`Config`] out, checked once.

mod settings;

pub use settings::*;
