//! Collapse: one leader fetches, many followers wait, three endings.
#![allow(unused_variables, dead_code, clippy::todo)]
use std::marker::PhantomData;
use std::time::Duration;

use crate::entry::Key;

/// The right and the duty to fetch for a key. Dropped without an ending, it goes to one follower.
#[derive(Debug)]
pub struct Flight<H, F>(PhantomData<(H, F)>);
impl<H, F> Flight<H, F> {
    /// What is fetched.
    pub fn key(&self) -> &Key {
        todo!()
    }
    /// Not shareable: all followers go themselves, and so does who asks within `remember`.
    pub fn decline(self, remember: Duration) {
        todo!()
    }
    /// The fetch failed: all who wait now get this failure; who asks later may try again.
    pub fn abandon(self, failure: F) {
        todo!()
    }
    /// As [`Flight::abandon`]; no refresh of this key is tried within `pause`.
    pub fn rest(self, failure: F, pause: Duration) {
        todo!()
    }
}

/// A place in a flight's queue; dropping it leaves the queue. Give it to [`crate::Cache::wait`].
#[derive(Debug)]
pub struct Follower<H, F>(PhantomData<(H, F)>);
