//! Leases over Redis: one node fetches, the others are told by push how it ended.
//!
//! Each step is one script, so that nobody comes between asking and queueing, or between ending and
//! telling. A lease is a key with an end that its holder puts off; a holder that died puts nothing
//! off, and so another takes over. What is said while a node hears nothing is lost to it, so a gap
//! ends every wait there: who waited asks again.

mod held;
mod steps;
mod vigils;
mod word;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::redis::Value;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::ears::{Push, Subscription};
use super::failure::LinkFailure;
use super::link::Link;
use super::names::Names;
use crate::codec::{OPENING, STAMP_OFFSET};
use crate::entry::Key;
use crate::lease::{Leases, Purpose, Response, Wish};
use crate::stats::Count;
use held::{Held, Owed};
use steps::Asked;
use vigils::{Place, Vigils};

/// The shortest lease: a shorter one could not be renewed in time.
const TTL_MIN: Duration = Duration::from_millis(100);

/// How much longer than a lease can last its end is waited for.
const WORD_MARGIN: Duration = Duration::from_millis(50);

/// How leases are handed out, and their bounds.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Under which keys things lie; the tier in Redis has the same.
    pub names: Names,
    /// How long a lease outlives a holder that died. It is renewed three times in that span.
    pub ttl: Duration,
    /// Nodes that wait for one lease. Over it, a node fetches for itself.
    pub waiters_max: usize,
    /// Waits and questions of this node at once. Over it, it fetches for itself.
    pub vigils_max: usize,
    /// Leases that this node holds, asks for or ends at once. Over it, it fetches for itself.
    pub held_max: usize,
}

impl LeaseOptions {
    /// The defaults, with these names.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            ttl: Duration::from_secs(3),
            waiters_max: 1_024,
            vigils_max: 65_536,
            held_max: 65_536,
        }
    }
}

/// Hands out the leases that a cluster shares through Redis. Dropped, it hears nothing any more;
/// leases that are held go on.
pub struct RedisLeases {
    core: Arc<Core>,
    listening: Option<AbortHandle>,
}

/// What every lease of this node shares.
struct Core {
    link: Arc<Link>,
    options: LeaseOptions,
    channel: Vec<u8>,
    vigils: Arc<Vigils>,
    held: Arc<Semaphore>,
    counts: Counts,
    runtime: Handle,
}

#[derive(Default)]
struct Counts {
    asked: Count,
    ours: Count,
    theirs: Count,
    newer: Count,
    unshared: Count,
    resting: Count,
    unreachable: Count,
    crowded: Count,
    lost: Count,
    renewals_failed: Count,
    ends_failed: Count,
    gaps: Count,
    foreign: Count,
}

/// What happened with leases. Those that can fall are named as what *is*; the others only grow.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LeaseSnapshot {
    /// Questions.
    pub asked: u64,
    /// Leases that this node got.
    pub ours: u64,
    /// Questions answered with another node's lease.
    pub theirs: u64,
    /// Questions that a newer entry answered.
    pub newer: u64,
    /// Questions about what is not shareable.
    pub unshared: u64,
    /// Questions within the pause after a failure.
    pub resting: u64,
    /// Questions that Redis did not answer.
    pub unreachable: u64,
    /// Questions for which there was no room, here or in the queue of a lease.
    pub crowded: u64,
    /// Leases that ended before their holder ended them.
    pub lost: u64,
    /// Renewals that Redis did not answer.
    pub renewals_failed: u64,
    /// Endings that could not be told; those leases ended by themselves.
    pub ends_failed: u64,
    /// Waits that a word ended.
    pub told: u64,
    /// Waits that ended because the lease must have.
    pub overdue: u64,
    /// Waits that ended because a word may have been missed.
    pub missed: u64,
    /// Times from which on words are heard again, the first included.
    pub gaps: u64,
    /// Messages and answers that are none of ours.
    pub foreign: u64,
    /// Leases held, asked for or being ended now.
    pub held: u64,
    /// Waits now.
    pub waiting: u64,
}

impl RedisLeases {
    /// Leases over this link. What has to run beside it runs on the current runtime.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn new(link: Arc<Link>, options: LeaseOptions) -> Arc<Self> {
        let ttl = options.ttl.clamp(TTL_MIN, word::SPAN_MAX);
        let node = rand::random::<u128>();
        let channel = options.names.global(&format!("node:{node:032x}"));
        let subscription = link.subscribe(&channel);
        let core = Arc::new(Core {
            link,
            channel,
            vigils: Vigils::new(options.vigils_max),
            held: Arc::new(Semaphore::new(options.held_max.min(Semaphore::MAX_PERMITS))),
            counts: Counts::default(),
            runtime: Handle::current(),
            options: LeaseOptions { ttl, ..options },
        });
        let listen = |subscription| core.runtime.spawn(listen(Arc::clone(&core), subscription));
        let listening = subscription.map(|it| listen(it).abort_handle());
        let listening = listening
            .inspect_err(|why| tracing::warn!("cannot listen for the words of leases: {why}"))
            .ok();
        Arc::new(Self { core, listening })
    }

    /// What happened until now.
    pub fn snapshot(&self) -> LeaseSnapshot {
        let (counts, heard) = (&self.core.counts, self.core.vigils.heard());
        let held = self.core.options.held_max.min(Semaphore::MAX_PERMITS);
        LeaseSnapshot {
            asked: counts.asked.now(),
            ours: counts.ours.now(),
            theirs: counts.theirs.now(),
            newer: counts.newer.now(),
            unshared: counts.unshared.now(),
            resting: counts.resting.now(),
            unreachable: counts.unreachable.now(),
            crowded: counts.crowded.now(),
            lost: counts.lost.now(),
            renewals_failed: counts.renewals_failed.now(),
            ends_failed: counts.ends_failed.now(),
            told: heard.told.now(),
            overdue: heard.overdue.now(),
            missed: heard.missed.now(),
            gaps: counts.gaps.now(),
            foreign: counts.foreign.now(),
            held: held.saturating_sub(self.core.held.available_permits()) as u64,
            waiting: self.core.vigils.waiting() as u64,
        }
    }
}

impl Leases for RedisLeases {
    fn ask<'a>(&'a self, wish: Wish<'a>) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(Core::ask(&self.core, wish))
    }
}

impl Drop for RedisLeases {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
        // Nobody tells who still waits.
        self.core.vigils.gap();
    }
}

async fn listen(core: Arc<Core>, mut subscription: Subscription) {
    loop {
        match subscription.next().await {
            Push::Message(message) => core.hear(&message),
            Push::Anew => {
                core.counts.gaps.one_more();
                core.vigils.gap();
            }
            // Asking fails as well now; who waits is told when it is known what to ask.
            Push::Lost => {}
        }
    }
}

impl Core {
    // From the first `.await` on, whatever happens, a lease that Redis may have given is owed back.
    async fn ask(self: &Arc<Self>, wish: Wish<'_>) -> Response {
        self.counts.asked.one_more();
        let room = (self.vigils.place(), Arc::clone(&self.held).try_acquire_owned());
        let (Some(place), Ok(permit)) = room else {
            self.counts.crowded.one_more();
            return Response::Unreachable;
        };
        let owed = Owed::new(self, wish.key, permit);
        match self.send_wish(&wish, &owed).await {
            Ok(answer) => self.respond(&answer, owed, place),
            Err(failure) => {
                self.counts.unreachable.one_more();
                match failure {
                    LinkFailure::Away | LinkFailure::Busy | LinkFailure::Refused(_) => {
                        owed.forget()
                    }
                    // It may have been heard.
                    LinkFailure::Late | LinkFailure::Cut(_) => drop(owed),
                }
                Response::Unreachable
            }
        }
    }

    async fn send_wish(&self, wish: &Wish<'_>, owed: &Owed) -> Result<Value, LinkFailure> {
        let entry = self.options.names.entry(wish.watched);
        let seen = wish.seen.map(|stamp| stamp.number().to_le_bytes());
        let purpose: &[u8] = match wish.purpose {
            Purpose::Need => b"need",
            Purpose::Refresh => b"refresh",
        };
        let [lease, waiters, declined, rest] = owed.keys().all();
        let (ttl, offset) = (self.ttl_millis(), STAMP_OFFSET.to_string());
        let waiters_max = self.options.waiters_max.to_string();
        let arguments: [&[u8]; 8] = [
            owed.token(),
            ttl.as_bytes(),
            &self.channel,
            purpose,
            seen.as_ref().map_or(&[], |stamp| &stamp[..]),
            &OPENING,
            offset.as_bytes(),
            waiters_max.as_bytes(),
        ];
        self.link.run(&steps::ASK, &[lease, waiters, declined, rest, &entry], &arguments).await
    }

    fn respond(&self, answer: &Value, owed: Owed, place: Place) -> Response {
        let counts = &self.counts;
        let Some(asked) = steps::read_asked(answer) else {
            // Nobody knows what such an answer means: the lease is owed.
            counts.foreign.one_more();
            return Response::Unreachable;
        };
        let (count, response) = match asked {
            Asked::Ours => {
                counts.ours.one_more();
                return Response::Ours(Box::new(Held::new(owed)));
            }
            Asked::Theirs(lease, left) => {
                let within = word::span(left).min(self.options.ttl) + WORD_MARGIN;
                (&counts.theirs, Response::Theirs(Box::new(place.watch(lease, within))))
            }
            Asked::Newer => (&counts.newer, Response::Newer),
            Asked::Unshared(left) => (&counts.unshared, Response::Unshared(word::span(left))),
            Asked::Resting(left) => (&counts.resting, Response::Resting(word::span(left))),
            Asked::Crowded => (&counts.crowded, Response::Unreachable),
        };
        count.one_more();
        owed.forget();
        response
    }

    fn hear(&self, message: &[u8]) {
        match word::read(message) {
            Some((lease, word)) => self.vigils.tell(lease, word),
            None => self.counts.foreign.one_more(),
        }
    }

    fn ttl_millis(&self) -> String {
        word::millis(self.options.ttl).to_string()
    }
}

/// The names of what belongs to one lease.
struct Keys {
    lease: Vec<u8>,
    waiters: Vec<u8>,
    declined: Vec<u8>,
    rest: Vec<u8>,
}

impl Keys {
    fn of(names: &Names, key: &Key) -> Self {
        let lease = names.lease(key);
        let waiters = [&lease[..], b":w"].concat();
        Self { lease, waiters, declined: names.declined(key), rest: names.rest(key) }
    }

    fn all(&self) -> [&[u8]; 4] {
        [&self.lease, &self.waiters, &self.declined, &self.rest]
    }
}

impl fmt::Debug for RedisLeases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLeases").field("options", &self.core.options).finish_non_exhaustive()
    }
}
