//! What each level of the cache must be able to do. Tiers never know of each other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::entry::{Entry, Key};
use crate::error::TierFailure;
use crate::lease::Fence;
use crate::log::Purges;

/// What a tier answers, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, TierFailure>> + Send + 'a>>;

/// What a tier says of a key: at once where it need not wait for it, so that such a hit costs no box
/// and no timer.
pub enum Looked<'a, H> {
    /// What it holds under the key.
    AtOnce(Result<Option<Arc<Entry<H>>>, TierFailure>),
    /// It must be waited for.
    Later(Answer<'a, Option<Arc<Entry<H>>>>),
}

impl<'a, H> Looked<'a, H> {
    /// What this will say.
    pub fn later(
        answer: impl Future<Output = Result<Option<Arc<Entry<H>>>, TierFailure>> + Send + 'a,
    ) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl<H> Future for Looked<'_, H> {
    type Output = Result<Option<Arc<Entry<H>>>, TierFailure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // It is told once.
            Self::AtOnce(said) => Poll::Ready(std::mem::replace(said, Ok(None))),
            Self::Later(answer) => answer.as_mut().poll(cx),
        }
    }
}

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
    /// The lease under which it was fetched was lost, or what it is about was removed meanwhile.
    Fenced,
    /// The tier takes an entry only when it is asked for again.
    NotYet,
    /// The tier cannot keep up; nothing was written.
    Busy,
}

/// Who sees what a tier holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This node alone.
    Node,
    /// Every node of the cluster.
    Cluster,
}

/// One level of the cache. Bodies flow in and out while they arrive. A call may be dropped at any
/// moment; a `put` that was dropped holds the whole entry or nothing of it.
pub trait Tier<H>: Send + Sync + 'static {
    /// The word for it in statistics and in `Cache-Status`.
    fn name(&self) -> &'static str;

    /// Finds what it holds and has not expired; the body may still be arriving.
    fn look_up<'a>(&'a self, key: &'a Key) -> Looked<'a, H>;

    /// Whether it answers at once mostly, so that it is worth asking before anything is made ready to
    /// wait for it.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// Who else sees what it holds.
    fn reach(&self) -> Reach {
        Reach::Node
    }

    /// The longest body that it takes.
    fn body_bytes_max(&self) -> u64;

    /// Tells it by which purges the cache goes: what they have killed is to go first when it needs room.
    /// It is never asked for what is gone.
    fn heed(&self, _purges: &Purges) {}

    /// Takes an entry in place of any under its key. The body may still be arriving, and is joined
    /// when the answer is first polled; if it breaks, all stays as it was. What is too long to be
    /// taken leaves nothing under its key, since that would be older. Only a tier that other nodes
    /// see heeds the fence.
    fn put<'a>(
        &'a self,
        key: &'a Key,
        entry: Arc<Entry<H>>,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Admitted>;

    /// Holds nothing under the key from then on.
    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()>;
}

#[cfg(test)]
#[cfg(not(shuttle))]
pub(crate) mod contract;
