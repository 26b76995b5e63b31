//! The memory tier.
#![allow(unused_variables, dead_code, clippy::todo)]
use std::marker::PhantomData;
/// Whether a tier took an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It holds it now.
    Kept,
    /// It is heavier than the tier's rule allows.
    TooLarge,
    /// Its time is over.
    Expired,
    /// Its body did not end whole.
    NotWhole,
}
/// The memory tier.
#[derive(Debug)]
pub struct Memory<H>(PhantomData<H>);
