//! The walk down the tiers and back up.
#![allow(unused_variables, dead_code, clippy::todo)]
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::body::{Body, BodyWriter};
use crate::budget::Budget;
use crate::clock::{Clock, Timestamp};
use crate::entry::{Entry, Head, Key};
use crate::flight::{Flight, Follower};
use crate::options::Options;
use crate::stats::Snapshot;
use crate::tier::Tier;

/// An entry, and the tier that had it.
#[derive(Debug)]
pub struct Found<H> {
    /// What was found.
    pub entry: Arc<Entry<H>>,
    /// The tier's name.
    pub tier: &'static str,
}

/// What a caller who must go to the origin is told.
#[derive(Debug)]
pub enum Joined<H, F> {
    /// Fetch for all, and end the flight.
    Lead(Flight<H, F>),
    /// Wait, with [`Cache::wait`].
    Follow(Follower<H, F>),
    /// Somebody filled it meanwhile, or its body is just arriving.
    Filled(Arc<Entry<H>>),
    /// Fetch for yourself: the key is not shareable, or there is no room to wait.
    Unshared,
}

/// How waiting ended.
#[derive(Debug)]
pub enum Ending<H, F> {
    /// Here is the entry; its body may still be arriving.
    Filled(Arc<Entry<H>>),
    /// Not shareable: fetch for yourself.
    Declined,
    /// The fetch failed for all who waited.
    Abandoned(Arc<F>),
    /// Waited long enough: fetch for yourself.
    TimedOut,
    /// The leader went without an ending; you lead now.
    Lead(Flight<H, F>),
}

/// What a caller who would refresh behind an answer is told. Nobody waits for a refresh.
#[derive(Debug)]
pub enum Refresh<H, F> {
    /// Fetch, and end the flight.
    Lead(Flight<H, F>),
    /// A flight for the key is under way already, or there is no room for one.
    Underway,
    /// The last refresh failed; none is tried until then.
    Resting(Timestamp),
    /// Somebody filled it meanwhile.
    Filled(Arc<Entry<H>>),
}

/// The cache. Cloning it shares it. `F` is what a failed fetch tells its followers.
#[derive(Debug)]
pub struct Cache<H, F>(Arc<PhantomData<(H, F)>>);

impl<H: Head, F: Send + Sync + 'static> Cache<H, F> {
    /// A cache of memory alone.
    pub fn new(options: Options, clock: Clock) -> Self {
        todo!()
    }
    /// A cache of memory over these tiers, the nearest first.
    pub fn with_tiers(options: Options, clock: Clock, below: Vec<Arc<dyn Tier<H>>>) -> Self {
        todo!()
    }
    /// The entry if memory has it. Waits for nothing, allocates nothing.
    pub fn look_up_memory(&self, key: &[u8]) -> Option<Arc<Entry<H>>> {
        todo!()
    }
    /// As [`Cache::look_up_memory`], but it does not count as a use.
    pub fn peek(&self, key: &[u8]) -> Option<Arc<Entry<H>>> {
        todo!()
    }
    /// The entry from the first tier that has it, promoted into memory.
    pub async fn look_up(&self, key: &Key) -> Option<Found<H>> {
        todo!()
    }
    /// Joins who fetches the key. `seen` is the entry that the caller found and could not use:
    /// if memory has another one by now, that is the answer.
    pub fn join(&self, key: &Key, seen: Option<&Arc<Entry<H>>>) -> Joined<H, F> {
        todo!()
    }
    /// Waits for the leader, for so long.
    pub async fn wait(&self, follower: Follower<H, F>, limit: Duration) -> Ending<H, F> {
        todo!()
    }
    /// Asks for the lead of a refresh behind an answer.
    pub fn refresh(&self, key: &Key, seen: &Arc<Entry<H>>) -> Refresh<H, F> {
        todo!()
    }
    /// Until when no refresh of the key is tried, if one failed lately.
    pub fn resting(&self, key: &[u8]) -> Option<Timestamp> {
        todo!()
    }
    /// A body within this cache's limits and budget, and its writer.
    pub fn arriving(&self, expected_len: Option<u64>) -> (BodyWriter, Body) {
        todo!()
    }
    /// Ends a flight well, at head time: all who wait read the arriving body. When that is whole,
    /// it is kept, in memory at once and below behind it; broken or passed through, it is not.
    pub fn fill(
        &self,
        flight: Flight<H, F>,
        head: H,
        body: Body,
        keep_until: Timestamp,
    ) -> Arc<Entry<H>> {
        todo!()
    }
    /// As [`Cache::fill`], but kept under another key than the one that was joined (a variant's).
    pub fn fill_under(
        &self,
        flight: Flight<H, F>,
        key: &Key,
        head: H,
        body: Body,
        keep_until: Timestamp,
    ) -> Arc<Entry<H>> {
        todo!()
    }
    /// Keeps an entry without a flight.
    pub fn insert(&self, key: &Key, entry: Arc<Entry<H>>) {
        todo!()
    }
    /// Gives an entry a new head over the same body, if it is still the one that memory holds.
    pub fn replace_head(
        &self,
        key: &Key,
        old: &Arc<Entry<H>>,
        head: H,
        keep_until: Timestamp,
    ) -> Option<Arc<Entry<H>>> {
        todo!()
    }
    /// Forgets the key in all tiers; what is being fetched for it now is not kept either.
    pub async fn remove(&self, key: &Key) {
        todo!()
    }
    /// Reclaims expired entries, forever, a bounded batch at a time. To be spawned.
    pub async fn sweep(&self, pause: Duration) {
        todo!()
    }
    /// What bodies are counted against.
    pub fn budget(&self) -> &Budget {
        todo!()
    }
    /// The clock.
    pub fn clock(&self) -> &Clock {
        todo!()
    }
    /// All counts, now.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }
}
