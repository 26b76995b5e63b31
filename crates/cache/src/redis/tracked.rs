//! Reading a few keys often, and being told when one of them may have changed.
//!
//! [`Tracked`] is a connection of its own with client tracking (RESP3, default mode): the server
//! remembers which keys were read here, absent ones too, and says when one of them changes, is
//! deleted, expires, is renamed or is evicted. Reads, signs of life and what the server says by
//! itself share one connection: where one of them is lost, all are. A second connection for what is
//! told could be lost alone, and whoever reads would never know.
//!
//! It says when it may have missed something ([`Told::Doubt`]), and is silent only when nothing
//! happened. What a server does not tell (`SWAPDB`; a proxy before it that takes `CLIENT TRACKING`
//! and drops what is told) it cannot know: who must be right reads everything again from time to
//! time.

mod heard;
mod keeper;
mod line;
mod roster;
mod slots;
mod stored;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

use self::heard::Heard;
use self::roster::Rosters;
use super::failure::LinkFailure;
use super::options::LinkOptions;

pub use self::stored::Stored;

/// A tracked connection, and its bounds.
#[derive(Clone, Debug)]
pub struct TrackedOptions {
    /// The server, the login, the time limits of connecting, the pauses between tries.
    pub link: LinkOptions,
    /// How often the server is asked for a sign of life.
    pub ping_interval: Duration,
    /// How late it may be before the connection is given up.
    pub ping_timeout: Duration,
    /// Keys that wait to be told; with more there is a [`Told::Doubt`] in their place.
    pub told_max: usize,
    /// Reads at once; further ones fail.
    pub reads_max: usize,
    /// The longest string that is read; a longer one is [`Stored::Other`].
    pub text_bytes_max: usize,
    /// The most items of a list; one with more is [`Stored::Other`].
    pub list_items_max: usize,
    /// The most bytes of all items of a list; one with more is [`Stored::Other`].
    pub list_bytes_max: usize,
}

impl TrackedOptions {
    /// The defaults, for this link.
    pub fn new(link: LinkOptions) -> Self {
        Self {
            link,
            ping_interval: Duration::from_millis(500),
            ping_timeout: Duration::from_secs(1),
            told_max: 65_536,
            reads_max: 1_024,
            text_bytes_max: 256 << 10,
            list_items_max: 256,
            list_bytes_max: 256 << 10,
        }
    }
}

/// What is heard from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// These keys may hold something else now, or nothing. The server speaks of a key again only
    /// after it was read again; of one read it may speak twice, for a read is two questions.
    Changed(Vec<Vec<u8>>),
    /// Anything may have changed: all was flushed, the connection was lost (told when it is lost and
    /// again when there is a new one, the first included), or more was said than waits here.
    /// Everything that matters is to be read again.
    Doubt,
}

/// All counts of a tracked connection at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrackedSnapshot {
    /// Whether reads go through now; in a cluster, to all primaries.
    pub is_up: bool,
    /// Reads that were answered.
    pub reads: u64,
    /// Keys of these reads.
    pub keys: u64,
    /// Reads that failed, for want of a connection too.
    pub failed: u64,
    /// Keys that the server said may have changed.
    pub changes: u64,
    /// How often anything may have changed.
    pub doubts: u64,
    /// Signs of life that came too late, or not at all.
    pub late_pings: u64,
    /// Connections made.
    pub connects: u64,
    /// Tries to connect that failed.
    pub connects_failed: u64,
    /// Why there was no connection when it was last tried, or why it was last given up.
    pub last_failure: Option<String>,
}

/// A connection that reads keys and hears of their changes. It connects, and connects anew after a
/// random pause, by itself; dropped, it ends.
///
/// The user that it logs in as needs to read the keys, and the commands `PING`, `CLIENT TRACKING`,
/// `TYPE`, `GETRANGE` and `LRANGE`; behind Sentinel `ROLE`, in a cluster `CLUSTER SLOTS`.
///
/// # What is told when
///
/// - Whatever happens to a key after the server answered a read of it is told after the read was
///   sent, never before.
/// - What is heard of a key *while* a read of it is under way is told only when that read has
///   returned (or was dropped), and so is a doubt once more. So a task that takes turns between
///   reads and [`Tracked::told`], and files what it read before it takes the next turn, misses
///   nothing: it is told after it has filed. Where several tasks read, each must note that it is
///   reading a key before it calls, and read once more if that key, or a doubt, was told before it
///   filed.
/// - A key that was told is not tracked until it is read again.
pub struct Tracked {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    options: TrackedOptions,
    rosters: Rosters,
    heard: Arc<Heard>,
    reads: Semaphore,
    /// A server refused: in a cluster a slot may be elsewhere.
    moved: Notify,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    reads: AtomicU64,
    keys: AtomicU64,
    failed: AtomicU64,
    late_pings: AtomicU64,
    connects: AtomicU64,
    connects_failed: AtomicU64,
}

impl Tracked {
    /// One that is being connected, behind. To be called within a tokio runtime.
    pub fn open(options: TrackedOptions) -> Arc<Self> {
        let shared = Arc::new(Shared {
            rosters: Rosters::new(&options.link.server),
            heard: Arc::new(Heard::new(options.told_max)),
            reads: Semaphore::new(options.reads_max.min(Semaphore::MAX_PERMITS)),
            moved: Notify::new(),
            counts: Counts::default(),
            options,
        });
        let keeper = tokio::spawn(keeper::keep(Arc::clone(&shared))).abort_handle();
        Arc::new(Self { shared, keeper })
    }

    /// What lies at these keys, in their order; `None` where there is nothing. From here on the
    /// server says when one of them changes, or comes to be.
    ///
    /// Strings and absent keys take one round trip for a thousand of them, lists a second one. Fails
    /// when it takes longer than `limit`, and at once while there is no connection; in a cluster
    /// where the primary of one of the keys is away, so that keys are better asked for in small
    /// groups there. Safe to drop at any moment.
    pub async fn read(
        &self,
        keys: &[Vec<u8>],
        limit: Duration,
    ) -> Result<Vec<Option<Stored>>, LinkFailure> {
        let counts = &self.shared.counts;
        let answer = self.shared.read(keys, limit).await;
        match &answer {
            Ok(_) => {
                counts.reads.fetch_add(1, Ordering::Relaxed);
                counts.keys.fetch_add(keys.len() as u64, Ordering::Relaxed);
            }
            Err(_) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        answer
    }

    /// Waits for what is told next: all keys that have changed since the last time, or a doubt,
    /// which stands for all that was to be told before it. Meant for one task; of several each is
    /// told a part. Safe to drop at any moment.
    pub async fn told(&self) -> Told {
        self.shared.heard.next().await
    }

    /// Whether reads go through now; in a cluster, to all primaries.
    pub fn is_up(&self) -> bool {
        self.shared.rosters.current().is_up()
    }

    /// Whether no read goes through now, whatever its keys.
    pub fn is_away(&self) -> bool {
        self.shared.rosters.current().is_away()
    }

    /// Whether reads of this key go through now.
    pub fn reaches(&self, key: &[u8]) -> bool {
        self.shared.rosters.current().reaches(key)
    }

    /// All counts now.
    pub fn snapshot(&self) -> TrackedSnapshot {
        let counts = &self.shared.counts;
        let (changes, doubts) = self.shared.heard.counts();
        TrackedSnapshot {
            is_up: self.is_up(),
            reads: counts.reads.load(Ordering::Relaxed),
            keys: counts.keys.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            changes,
            doubts,
            late_pings: counts.late_pings.load(Ordering::Relaxed),
            connects: counts.connects.load(Ordering::Relaxed),
            connects_failed: counts.connects_failed.load(Ordering::Relaxed),
            last_failure: self.shared.rosters.last_failure(),
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl std::fmt::Debug for Tracked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let server = &self.shared.options.link.server;
        f.debug_struct("Tracked").field("server", server).finish_non_exhaustive()
    }
}

impl Shared {
    async fn read(
        &self,
        keys: &[Vec<u8>],
        limit: Duration,
    ) -> Result<Vec<Option<Stored>>, LinkFailure> {
        let _permit = self.reads.try_acquire().map_err(|_| LinkFailure::Busy)?;
        let roster = self.rosters.current();
        let parts = roster.parts(keys)?;
        let reading = self.heard.begin(keys);
        let asked = line::ask_all(parts, keys, &self.options);
        let answer = tokio::time::timeout(limit, asked).await;
        let answer = answer.unwrap_or(Err(LinkFailure::Late));
        match answer {
            Ok(values) => {
                reading.returns();
                Ok(values)
            }
            Err(failure) => {
                // It may be that a slot is elsewhere.
                if matches!(failure, LinkFailure::Refused(_)) {
                    self.moved.notify_one();
                }
                Err(failure)
            }
        }
    }
}
