//! What these rules promise, as tables.
