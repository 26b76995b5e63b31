//! The right to fetch for a key in the whole cluster: what `flight` is in one node.
//!
//! Whoever leads a flight asks for the lease. One node gets it; the others are told how its fetch
//! ended, or take over when it died. Without leases each node fetches for itself.

#[doc(hidden)]
pub mod register;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::entry::{Key, Stamp};

/// Who hands out leases, as a cluster shares it.
pub trait Leases: Send + Sync + 'static {
    /// Asks for a lease. Takes no longer than a limit of its own; dropped while it waits, a lease
    /// that was just given is given back.
    fn ask<'a>(&'a self, wish: Wish<'a>) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;
}

/// For what a lease is asked.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// What is to be fetched.
    pub key: &'a Key,
    /// The entry that decides whether it still has to be: its key.
    pub watched: &'a Key,
    /// The watched entry as it was seen, if there was one.
    pub seen: Option<Stamp>,
    /// Whether anything else would do.
    pub purpose: Purpose,
}

/// Whether anything else than a fetch would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Nothing else would.
    Need,
    /// Something stale may be served; a pause after a failure is kept.
    Refresh,
}

/// What a node is told that asks for a lease.
pub enum Response {
    /// Fetch, for the whole cluster.
    Ours(Box<dyn Lease>),
    /// Another node fetches already; this tells how that ends.
    Theirs(Box<dyn Vigil>),
    /// Under the watched key lies another entry by now than the one that was seen.
    Newer,
    /// Not shareable; so is it for as long as that.
    Unshared(Duration),
    /// The last fetch failed; the pause is still so long.
    Resting(Duration),
    /// Nobody can be asked: each node for itself.
    Unreachable,
}

/// How a fetch under a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The entry is in the tiers that all nodes see.
    Stored,
    /// It is kept, but only by the node that fetched it: each node fetches once.
    Local,
    /// It is not shareable, each client for himself, and so is it for as long as that.
    Unshared(Duration),
    /// It failed, in a way that the program has a number for; no refresh for as long as that.
    Failed(u16, Duration),
    /// The node left it without a word, or died: ask again.
    Left,
}

/// A lease that is held; it is renewed while it is. Dropped without a word, it is given back, and
/// others are told that it was [`Word::Left`].
pub trait Lease: Send + Sync + 'static {
    /// What a store under this lease presents.
    fn fence(&self) -> Fence;

    /// Gives it back, and tells all who wait how it ended. Returns at once.
    fn end(self: Box<Self>, word: Word);
}

/// Waits for the word of the node that holds a lease.
pub trait Vigil: Send + 'static {
    /// How it ended, sooner or later: a holder that died is known by its lease's end. Dropped
    /// while it waits, it leaves the queue.
    fn told(self: Box<Self>) -> Pin<Box<dyn Future<Output = Word> + Send>>;
}

/// What a store under a lease presents, so that a tier refuses it when the lease was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// What the lease is for.
    pub key: Key,
    /// What only its holder knows.
    pub token: [u8; 16],
}
