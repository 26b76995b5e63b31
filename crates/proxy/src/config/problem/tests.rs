//! How problems are shown.
