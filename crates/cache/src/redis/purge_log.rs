//! The log of purges in Redis: a stream that all nodes follow, and the roll of those nodes.
//!
//! [`RedisLog`] runs three tasks. One follows: it tells the roll where this node is and reads on, at
//! every beat, and at once when it is told of a purge; the telling only makes it faster. One writes
//! what is appended here, many calls in one step. One reads the roll while somebody waits for other
//! nodes. What is read goes through [`Purges::take`], which decides what it means.
//!
//! A log that lost its end in a failover, or came back as an older one, is given another lineage by
//! whoever notices, so that all nodes notice. Redis away, nothing is heard, and trust runs out by
//! itself.

pub(super) mod answers;
mod append;
mod follow;
mod nodes;
pub(super) mod steps;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::link::Link;
use super::names::Names;
use super::options::{LinkOptions, Server};
use super::roll::{Keys, NodeName, Roll};
use crate::clock::{Clock, Timestamp};
use crate::codec::Seal;
use crate::disk::DiskError;
use crate::log::{
    Appended, DOUBT_BOUND, Journal, Later, Log, LogFailure, LogSnapshot, NodeStanding, Purges,
};
use crate::purge::{Position, Rule, Rules};
use crate::stats::Count;
use append::Job;
use nodes::Watched;
use store::{ERA_MAX, Myself, Store, era_of};

/// Calls of [`Log::append`] that wait at once; further ones are refused.
const APPENDS_MAX: usize = 1_024;

/// The log in Redis, and its bounds.
#[derive(Clone)]
pub struct RedisLogOptions {
    /// Under which names things lie; the prefix counts, not the family.
    pub names: Names,
    /// Who this node is.
    pub node: NodeName,
    /// How long this node may not have heard the log before it is in doubt.
    pub bound: Duration,
    /// Whether the node keeps to that bound. The others are told.
    pub in_doubt: InDoubt,
    /// A secret of all nodes. With it, what was written without it does not read.
    pub secret: Option<Vec<u8>>,
    /// Where what is read is written down, so that the node knows it when it starts and cannot reach
    /// Redis; it gave the rules that it starts with.
    pub journal: Option<Journal>,
    /// How often the log is asked, if nothing is told of it.
    pub beat_every: Duration,
    /// How long one call may take.
    pub call_timeout: Duration,
    /// How long an append may take, everything in it.
    pub append_timeout: Duration,
    /// Entries that are kept, about.
    pub entries_max: u64,
    /// How long the log outlives the last node that followed it.
    pub kept_for: Duration,
    /// How many replicas must have a purge before it counts as written; not in a cluster.
    pub replicas: u32,
    /// How long they are waited for.
    pub replicas_wait: Duration,
}

/// What a node does that has not heard the log for its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// It serves nothing that was not validated within the bound.
    Validates,
    /// It trusts what it holds.
    Serves,
}

impl RedisLogOptions {
    /// The defaults, with these names, for this node.
    pub fn new(names: Names, node: NodeName) -> Self {
        Self {
            names,
            node,
            bound: DOUBT_BOUND,
            in_doubt: InDoubt::Validates,
            secret: None,
            journal: None,
            beat_every: Duration::from_millis(500),
            call_timeout: Duration::from_millis(500),
            append_timeout: Duration::from_secs(2),
            entries_max: 100_000,
            kept_for: Duration::from_secs(30 * 24 * 60 * 60),
            replicas: 0,
            replicas_wait: Duration::from_millis(500),
        }
    }
}

/// The log in Redis, as one node writes and follows it. Dropped, it stops: the node is in doubt, and
/// says goodbye to the roll.
pub struct RedisLog {
    core: Arc<Core>,
    jobs: mpsc::Sender<Job>,
    /// Dropped, all tasks end.
    stop: watch::Sender<()>,
    /// Closed when the node has said goodbye.
    followed: watch::Receiver<Position>,
}

/// What the tasks of one node share.
struct Core {
    store: Store,
    myself: Myself,
    purges: Purges,
    clock: Clock,
    options: RedisLogOptions,
    /// The link on which replicas are waited for, which holds up whatever is behind on it.
    waiting: Option<Arc<Link>>,
    /// The newest entry that was heard of.
    newest: Mutex<Position>,
    server: Mutex<Told>,
    /// There may be something to read.
    stir: Notify,
    watched: Watched,
    counts: Counts,
    last_failure: Mutex<Option<String>>,
}

/// What is known of the server, and of what it knows.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// Its milliseconds, and when they were asked for and told.
    clock: Option<(u64, Instant, Instant)>,
    /// Its milliseconds at this node's last beat.
    beat: Option<u64>,
    /// The connections of the link until then.
    connects: u64,
    /// Since when the roll may not say truly when nodes were heard last.
    shaken: Instant,
}

#[derive(Default)]
struct Counts {
    appended: Count,
    refused: Count,
    contended: Count,
    beats: Count,
    beats_failed: Count,
    damaged: Count,
    broken: Count,
    renewed: Count,
    shaken: Count,
    journal_failed: Count,
}

/// What the log in Redis counted, beside what is counted of every log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RedisLogSnapshot {
    /// What is counted of every log.
    pub log: LogSnapshot,
    /// Times that Redis was told where this node is, and asked for what is new.
    pub beats: u64,
    /// Those that brought nothing.
    pub beats_failed: u64,
    /// Tries to append that came behind another node's.
    pub contended: u64,
    /// Entries that did not read, or bore no good seal.
    pub damaged: u64,
    /// Times that this node found the log with a part of it lost, or written by a stranger.
    pub broken: u64,
    /// Times that this node had the log begin anew, because of a break in its history.
    pub renewed: u64,
    /// Times that the roll may not have said truly when nodes were heard: for a bound from then on,
    /// none is taken for unheard.
    pub shaken: u64,
    /// Times that what was read could not be written down, or not in time.
    pub journal_failed: u64,
}

impl RedisLog {
    /// The log behind this link, followed from what `rules` know. What has to run beside it runs on
    /// the current runtime.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn open(link: Arc<Link>, rules: Rules, clock: Clock, options: RedisLogOptions) -> Self {
        let (jobs, queue) = mpsc::channel(APPENDS_MAX);
        let (stop, stopped) = watch::channel(());
        let core = Arc::new(Core::new(link, rules, clock, options));
        // Nothing was followed yet. A node that knows no log bears a lineage of its own, whose era
        // says nothing.
        let (moved, followed) = watch::channel(Position::default());
        tokio::spawn(follow::follow(Arc::clone(&core), moved, stopped.clone()));
        tokio::spawn(append::write(Arc::clone(&core), queue));
        tokio::spawn(nodes::watch(Arc::clone(&core), stopped));
        Self { core, jobs, stop, followed }
    }

    /// What tells this node from every other on the roll.
    pub fn node_id(&self) -> u64 {
        self.core.myself.id
    }

    /// The roll on which this node is.
    pub fn roll(&self) -> &Roll {
        &self.core.store.roll
    }

    /// As [`Log::leave`]; nothing can be appended any more.
    pub async fn close(self) {
        self.leave().await;
    }

    /// All numbers, now.
    pub fn numbers(&self) -> RedisLogSnapshot {
        let counts = &self.core.counts;
        RedisLogSnapshot {
            log: Log::snapshot(self),
            beats: counts.beats.now(),
            beats_failed: counts.beats_failed.now(),
            contended: counts.contended.now(),
            damaged: counts.damaged.now(),
            broken: counts.broken.now(),
            renewed: counts.renewed.now(),
            shaken: counts.shaken.now(),
            journal_failed: counts.journal_failed.now(),
        }
    }
}

impl Log for RedisLog {
    fn leave(&self) -> Later<'_, ()> {
        self.stop.send_replace(());
        let mut followed = self.followed.clone();
        Box::pin(async move { while followed.changed().await.is_ok() {} })
    }

    fn append(&self, rules: Vec<Rule>) -> Later<'_, Result<Appended, LogFailure>> {
        Box::pin(append::append(&self.core, &self.jobs, self.followed.clone(), rules))
    }

    fn applied(&self, up_to: Position, wait: Duration) -> Later<'_, Vec<NodeStanding>> {
        Box::pin(nodes::applied(&self.core, up_to, wait))
    }

    fn let_go(&self) {
        self.core.options.journal.iter().for_each(Journal::let_go);
    }

    fn take_back(&self) -> Result<(), DiskError> {
        self.core.options.journal.as_ref().map_or(Ok(()), Journal::take_back)
    }

    fn purges(&self) -> &Purges {
        &self.core.purges
    }

    fn snapshot(&self) -> LogSnapshot {
        LogSnapshot {
            kind: "redis",
            appended: self.core.counts.appended.now(),
            refused: self.core.counts.refused.now(),
            last_failure: self.core.last_failure.lock().clone(),
            file_bytes: self.core.options.journal.as_ref().map_or(0, Journal::file_bytes),
        }
    }
}

impl Core {
    fn new(link: Arc<Link>, rules: Rules, clock: Clock, options: RedisLogOptions) -> Self {
        let bound = match options.in_doubt {
            InDoubt::Validates => Some(options.bound),
            InDoubt::Serves => None,
        };
        let myself =
            Myself { id: rand::random(), name: options.node.clone(), bound, started: clock.now() };
        let position = rules.position();
        let waits = options.replicas > 0 && !matches!(link.options().server, Server::Cluster(_));
        let store = Store {
            keys: Keys::of(&options.names),
            roll: Roll::new(Arc::clone(&link), &options.names),
            seal: options.secret.as_deref().map(Seal::new),
            call_timeout: options.call_timeout,
            entries_max: options.entries_max.max(1),
            kept_for: options.kept_for,
            era: AtomicU64::new(0),
            link,
        };
        let waiting = waits.then(|| {
            let call_timeout = options.call_timeout + options.replicas_wait;
            Link::open(LinkOptions { call_timeout, ..store.link.options().clone() })
        });
        let watched = Watched::new(options.names.global(&format!("{{purges}}:{:016x}", myself.id)));
        let core = Self {
            purges: Purges::followed(rules, options.bound),
            store,
            myself,
            clock,
            waiting,
            newest: Mutex::new(position),
            server: Mutex::new(Told::nothing()),
            stir: Notify::new(),
            watched,
            counts: Counts::default(),
            last_failure: Mutex::new(None),
            options,
        };
        core.note_era(position.lineage);
        core
    }

    // An era that only a stranger can have made is not followed up to the end of all eras.
    fn note_era(&self, lineage: u64) {
        let era = era_of(lineage);
        if era < ERA_MAX {
            self.store.era.fetch_max(era, Ordering::Relaxed);
        }
    }

    fn note_failure(&self, why: String) {
        *self.last_failure.lock() = Some(why);
    }

    /// The moment by the server's clock, about: as it said just now, or from what it said before.
    fn log_time(&self, told: Option<u64>) -> Timestamp {
        let now = told.or_else(|| self.server.lock().now());
        now.map_or_else(|| self.clock.now(), Timestamp::from_millis)
    }

    /// Notes what a beat told: the server's milliseconds, and those at the beat before.
    fn note_beat(&self, before: Option<u64>, millis: u64, asked_at: Instant) {
        let shaken = self.server.lock().beat(before, millis);
        self.note_shaken(shaken);
        self.note_told(millis, asked_at);
    }

    /// Notes the server's milliseconds.
    fn note_told(&self, millis: u64, asked_at: Instant) {
        let connects = self.store.link.snapshot().connects;
        let shaken = self.server.lock().tell(connects, millis, asked_at, Instant::now());
        self.note_shaken(shaken);
    }

    fn note_shaken(&self, shaken: Shaken) {
        match shaken {
            Shaken::Yes => self.counts.shaken.one_more(),
            Shaken::No => {}
        }
    }
}

/// Whether what was told is a reason not to believe when nodes were heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shaken {
    Yes,
    No,
}

/// How much farther than ours the server's clock may go between two questions.
const CLOCK_SLACK_MILLIS: u64 = 50;

impl Told {
    // Who starts just after a failover cannot know of it.
    fn nothing() -> Self {
        Self { clock: None, beat: None, connects: 0, shaken: Instant::now() }
    }

    // A server that does not know of the last beat has lost others, too.
    fn beat(&mut self, before: Option<u64>, millis: u64) -> Shaken {
        let last = self.beat.replace(millis);
        let has_lost = last.is_some_and(|last| before.is_none_or(|before| before < last));
        if has_lost { self.shake() } else { Shaken::No }
    }

    // A clock that went ahead makes all look unheard; behind another connection may be another
    // server, with another clock, that was told less.
    fn tell(&mut self, connects: u64, millis: u64, asked_at: Instant, told_at: Instant) -> Shaken {
        let is_other = std::mem::replace(&mut self.connects, connects) != connects;
        let before = self.clock.replace((millis, asked_at, told_at));
        let has_leapt = before.is_some_and(|(millis_before, asked_before, _)| {
            let gone = told_at.saturating_duration_since(asked_before).as_millis();
            let gone = u64::try_from(gone).unwrap_or(u64::MAX);
            millis.saturating_sub(millis_before) > gone.saturating_add(CLOCK_SLACK_MILLIS)
        });
        if is_other || has_leapt { self.shake() } else { Shaken::No }
    }

    fn shake(&mut self) -> Shaken {
        self.shaken = Instant::now();
        Shaken::Yes
    }

    /// The server's milliseconds now, about.
    fn now(&self) -> Option<u64> {
        let (millis, _, told_at) = self.clock?;
        Some(millis.saturating_add(u64::try_from(told_at.elapsed().as_millis()).ok()?))
    }
}

impl std::fmt::Debug for RedisLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("RedisLog");
        shown.field("node", &self.core.myself).field("purges", &self.core.purges);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
