//! What a node knows of the purges now, as the cache and the program ask it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::follow::{Follower, Taken, Trust};
use super::memory::new_lineage;
use super::suspended;
use crate::entry::{Entry, Head};
use crate::purge::Epoch;
use crate::purge::{Belongs, Bounds, LogEntry, Position, Rules, Verdict};
use crate::stats::Count;

/// How long a node may not have heard its log before it is in doubt, unless it is told otherwise.
pub const DOUBT_BOUND: Duration = Duration::from_secs(2);

/// Purges that are remembered as they stood in the log, for people.
pub const RECENT_MAX: usize = 64;

/// For `heard`: never, and at every moment.
const NEVER: u64 = 0;
const ALWAYS: u64 = u64::MAX;

/// The purges that a node knows. Cloning it shares it.
#[derive(Clone)]
pub struct Purges {
    shared: Arc<Shared>,
}

struct Shared {
    follower: RwLock<Follower>,
    /// That of the rules, for who does not wait.
    version: AtomicU64,
    changed: Notify,
    /// When the last question was asked that was answered: microseconds after `begun`, and one.
    heard: AtomicU64,
    /// How long the machine had been suspended by then, in microseconds.
    suspended: AtomicU64,
    begun: Instant,
    bound: Duration,
    applied: Count,
    raised: Count,
    /// The newest last.
    recent: Mutex<VecDeque<LogEntry>>,
}

/// What a node knows of the purges, in numbers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PurgesSnapshot {
    /// How far it has followed the log.
    pub position: Position,
    /// Entries with a lower number are unproven.
    pub floor: u64,
    /// Rules in the table.
    pub rules: u64,
    /// Their bytes.
    pub rules_bytes: u64,
    /// Whether it may have missed a purge.
    pub trust: Trust,
    /// How long ago the question was asked that was answered last; `None` where it never was, or
    /// need not be.
    pub heard_ago: Option<Duration>,
    /// Purges that it has applied since it began.
    pub applied: u64,
    /// How often its floor has risen because of what it read.
    pub raised: u64,
}

impl Purges {
    /// For a log of others: in doubt until it is heard, and whenever it was not within the bound.
    pub fn followed(rules: Rules, bound: Duration) -> Self {
        Self::with(Follower::new(rules, new_lineage()), bound, NEVER)
    }

    /// For a log of this node's own, which knows it wholly.
    pub fn own(rules: Rules) -> Self {
        Self::with(Follower::new(rules, Position::default().lineage), DOUBT_BOUND, ALWAYS)
    }

    fn with(follower: Follower, bound: Duration, heard: u64) -> Self {
        let shared = Shared {
            version: AtomicU64::new(follower.rules().version()),
            changed: Notify::new(),
            follower: RwLock::new(follower),
            heard: AtomicU64::new(heard),
            suspended: AtomicU64::new(0),
            begun: Instant::now(),
            bound,
            applied: Count::default(),
            raised: Count::default(),
            recent: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What an entry bears whose fetch begins now.
    pub fn epoch(&self) -> Epoch {
        self.position().epoch()
    }

    /// Changes whenever what is known does; what was alive is so as long as it does not.
    #[inline]
    pub fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    /// Waits until what is known changes, or returns at once if it has since the last call. For one
    /// who waits, and no more.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// After which entry the log is to be read on.
    pub fn position(&self) -> Position {
        self.shared.follower.read().position()
    }

    /// The lineage of a log that is not followed any more because its history has changed. It is to
    /// be given another.
    pub fn refused(&self) -> Option<u64> {
        self.shared.follower.read().refused()
    }

    /// What is said of an entry with this epoch that belongs to these groups.
    pub fn judge(&self, epoch: Epoch, belongs: &Belongs<'_>) -> Verdict {
        self.shared.follower.read().judge(epoch, belongs)
    }

    /// What is said of this entry, which is kept, or was asked for, under this key. One that was
    /// alive is not judged again while nothing has changed.
    #[inline]
    pub fn judge_entry<H: Head>(&self, entry: &Entry<H>, key: &[u8]) -> Verdict {
        if entry.is_alive_at(self.version()) {
            return Verdict::Alive;
        }
        self.judge_anew(entry, key)
    }

    #[cold]
    fn judge_anew<H: Head>(&self, entry: &Entry<H>, key: &[u8]) -> Verdict {
        let follower = self.shared.follower.read();
        let rules = follower.rules();
        if rules.judge_by_epoch(entry.epoch()) == Some(Verdict::Alive) {
            entry.note_alive(rules.version());
            return Verdict::Alive;
        }
        let mut belongs = Belongs::new();
        entry.head().belongs(key, &mut belongs);
        let verdict = follower.judge(entry.epoch(), &belongs);
        if verdict == Verdict::Alive {
            entry.note_alive(rules.version());
        }
        verdict
    }

    /// As [`Purges::trust`], at this moment; a log of this node's own asks no clock.
    #[inline]
    pub fn trust_now(&self) -> Trust {
        match self.shared.heard.load(Ordering::Acquire) {
            ALWAYS => Trust::Sure,
            _ => self.trust(Instant::now()),
        }
    }

    /// Whether this node may have missed a purge by now. The time for which the machine was suspended
    /// counts.
    pub fn trust(&self, now: Instant) -> Trust {
        self.trust_with(now, suspended::at_most)
    }

    fn trust_with(&self, now: Instant, suspended: impl FnOnce() -> Duration) -> Trust {
        match self.shared.heard.load(Ordering::Acquire) {
            ALWAYS => Trust::Sure,
            NEVER => Trust::Doubt,
            heard => {
                let ago = self.shared.ago(heard, now, suspended());
                Trust::after(Some(ago), self.shared.bound)
            }
        }
    }

    /// How long the log may be unheard, and how long a response is fresh when it is.
    pub fn bound(&self) -> Duration {
        self.shared.bound
    }

    /// Takes what was read of the log, as [`Follower::take`]. `asked_at` is when the question was
    /// sent: what was written since then is not known.
    pub fn take(&self, entries: &[LogEntry], newest: Position, asked_at: Instant) -> Taken {
        let mut follower = self.shared.follower.write();
        let before = follower.position();
        let taken = follower.take(entries, newest, asked_at);
        if let Taken::Raised(_) = taken {
            self.shared.raised.one_more();
        }
        let after = follower.position();
        if after.lineage == before.lineage {
            self.shared.applied.more(after.number.saturating_sub(before.number));
        }
        let version = follower.rules().version();
        if self.shared.version.swap(version, Ordering::AcqRel) != version {
            self.shared.changed.notify_one();
        }
        self.shared.hear(follower.heard());
        drop(follower);
        self.shared.remember(entries, before, after);
        taken
    }

    /// The purges that were applied last, since this node began, the newest first.
    pub fn recent(&self) -> Vec<LogEntry> {
        self.shared.recent.lock().iter().rev().cloned().collect()
    }

    /// A copy of what is known, as a file would give it back.
    #[cfg(all(test, not(shuttle)))]
    pub(crate) fn rules(&self) -> Rules {
        self.shared.follower.read().rules().clone()
    }

    /// Nobody follows the log any more: the node is in doubt, until it is heard again.
    pub fn fall_in_doubt(&self) {
        let mut follower = self.shared.follower.write();
        follower.fall_in_doubt();
        self.shared.heard.store(NEVER, Ordering::Release);
    }

    /// The log is this node's own again, which knows it wholly.
    pub fn be_sure(&self) {
        self.shared.heard.store(ALWAYS, Ordering::Release);
    }

    /// All numbers, now.
    pub fn snapshot(&self, now: Instant) -> PurgesSnapshot {
        let follower = self.shared.follower.read();
        let (rules, shared) = (follower.rules(), &self.shared);
        let heard = shared.heard.load(Ordering::Acquire);
        PurgesSnapshot {
            position: rules.position(),
            floor: rules.floor(),
            rules: rules.len() as u64,
            rules_bytes: rules.bytes() as u64,
            trust: self.trust(now),
            heard_ago: (heard != NEVER && heard != ALWAYS)
                .then(|| shared.ago(heard, now, suspended::at_least())),
            applied: shared.applied.now(),
            raised: shared.raised.now(),
        }
    }
}

impl Shared {
    // Of another lineage the numbers begin anew: what was remembered is of a log that is gone.
    fn remember(&self, entries: &[LogEntry], before: Position, after: Position) {
        let from = if before.lineage == after.lineage { before.number } else { 0 };
        let applied = |entry: &&LogEntry| entry.number > from && entry.number <= after.number;
        let newest = &entries[entries.len().saturating_sub(RECENT_MAX)..];
        if from == after.number || newest.is_empty() {
            return;
        }
        let mut recent = self.recent.lock();
        if before.lineage != after.lineage {
            recent.clear();
        }
        recent.extend(newest.iter().filter(applied).cloned());
        let surplus = recent.len().saturating_sub(RECENT_MAX);
        recent.drain(..surplus);
    }

    fn ago(&self, heard: u64, now: Instant, suspended: Duration) -> Duration {
        let then = Duration::from_micros(self.suspended.load(Ordering::Acquire));
        let awake = now.saturating_duration_since(self.begun);
        // Less than a millisecond is how far apart the clocks were read.
        let slept = suspended.saturating_sub(then).as_millis();
        let slept = Duration::from_millis(u64::try_from(slept).unwrap_or(u64::MAX));
        awake.saturating_sub(Duration::from_micros(heard - 1)).saturating_add(slept)
    }

    // Rounded down, so that doubt comes rather early. Called by one at a time, who was not suspended
    // since he asked, if that is new.
    fn hear(&self, heard: Option<Instant>) {
        let before = self.heard.load(Ordering::Acquire);
        if before == ALWAYS {
            return;
        }
        let micros = |at: Instant| at.saturating_duration_since(self.begun).as_micros();
        let heard = heard.map_or(NEVER, |at| {
            u64::try_from(micros(at) + 1).unwrap_or(ALWAYS - 1).min(ALWAYS - 1)
        });
        if heard == before {
            return;
        }
        // Whoever reads one without the other takes it for longer ago than it is.
        let suspended = u64::try_from(suspended::at_least().as_micros()).unwrap_or(0);
        self.suspended.store(suspended, Ordering::Release);
        self.heard.store(heard, Ordering::Release);
    }
}

/// Of a cache whose log nobody writes: all is alive that was fetched here.
impl Default for Purges {
    fn default() -> Self {
        Self::own(Rules::new(Bounds::default()))
    }
}

impl fmt::Debug for Purges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Purges");
        shown.field("position", &self.position()).field("version", &self.version());
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_was_suspended_for_the_bound_is_in_doubt_when_it_goes_on() {
        let (bound, now) = (Duration::from_secs(2), Instant::now());
        let purges = Purges::followed(Rules::new(Bounds::default()), bound);
        let newest = Position::start_of(7);
        for _ in 0..2 {
            purges.take(&[], newest, now);
        }
        let trust = |suspended: Duration| purges.trust_with(now, || suspended);
        let before = suspended::at_least();
        assert_eq!(trust(before), Trust::Sure);
        assert_eq!(trust(before + bound * 2), Trust::Doubt);
        // What was heard before does not become newer by being told again.
        purges.shared.suspended.store(0, Ordering::Release);
        purges.take(&[], newest, now);
        assert_eq!(purges.shared.suspended.load(Ordering::Acquire), 0);
    }
}
